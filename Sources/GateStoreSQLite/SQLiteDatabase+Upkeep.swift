import GRDB
import GateStore

extension SQLiteDatabase {
    /// Moves the whole write-ahead log into the file and empties it; waits for readers up to the busy timeout.
    public func checkpoint() async throws {
        try await mapped {
            try await self.committer.exclusively { connection in _ = try connection.checkpoint(.truncate) }
        }
    }

    /// Reads everything and returns what is wrong, at most 100 findings; an empty list is a sound database.
    public func integrityCheck() async throws -> [String] {
        try await mapped {
            try await self.pool.read { connection in
                var findings = try String.fetchAll(connection, sql: "PRAGMA integrity_check(100)")
                if findings == ["ok"] { findings = [] }
                for row in try Row.fetchAll(connection, sql: "SELECT * FROM pragma_foreign_key_check LIMIT 100") {
                    findings.append("a foreign key points nowhere: \(row.databaseValues.map(\.description))")
                }
                return Array(findings.prefix(100))
            }
        }
    }

    /// Copies one committed state to a new file of mode 0600, while reads and writes go on.
    ///
    /// The name appears when the copy is complete and synced; an existing file is refused.
    public func backup(to path: String) async throws {
        let partial = path + ".partial"
        SQLiteFile.remove(path: partial)
        try SQLiteFile.create(path: partial)
        do {
            try await copy(to: partial)
            try SQLiteFile.publish(partial, as: path)
        } catch {
            SQLiteFile.remove(path: partial)
            throw StoreError(mapping: error)
        }
    }

    private func copy(to path: String) async throws {
        var configuration = Configuration()
        configuration.label = "tidegate.store.backup"
        let destination = try DatabaseQueue(path: path, configuration: configuration)
        try await pool.read { source in
            try destination.writeWithoutTransaction { connection in try source.backup(to: connection) }
        }
        try await destination.writeWithoutTransaction { connection in
            // The copy says "write-ahead log" in its header; without it, the backup is one file that can be moved.
            try connection.execute(sql: "PRAGMA journal_mode = DELETE")
        }
        try destination.close()
    }
}
