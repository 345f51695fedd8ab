import GRDB
import GateStore

extension SQLiteDatabase {
    /// Moves the whole write-ahead log into the file and empties it; waits for readers up to the busy timeout.
    public func checkpoint() async throws {
        try await mapped {
            try await self.committer.exclusively { connection in _ = try connection.checkpoint(.truncate) }
        }
    }

    /// Reads the whole file beside everything else that goes on; what is wrong, or nil. For files that are too large to be
    /// read at the start (`wasRead`).
    public func quickCheck() async throws -> String? {
        try await mapped {
            try await self.pool.read { connection in
                let findings = try String.fetchAll(connection, sql: "PRAGMA quick_check(1)")
                return findings == ["ok"] ? nil : findings.first ?? "quick_check is silent"
            }
        }
    }
}
