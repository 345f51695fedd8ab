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
        try await read { transaction in
            let finding = try transaction.rows("PRAGMA quick_check(1)").first?.text("quick_check")
            return finding == "ok" ? nil : finding ?? "quick_check is silent"
        }
    }
}
