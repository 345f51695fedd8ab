public import GateModel

/// Brings a database to the schema this program knows, or refuses to touch it.
public struct Migrator: Sendable {
    private let migrations: [Migration]

    /// Takes migrations in any order; their numbers must run from 1 without gaps.
    public init(_ migrations: [Migration]) throws(StoreError) {
        let sorted = migrations.sorted { $0.number < $1.number }
        for (index, migration) in sorted.enumerated() where migration.number != index + 1 {
            throw .migrationChanged(number: migration.number)
        }
        self.migrations = sorted
    }

    /// Applies what is pending, each step in a transaction of its own, and returns the numbers applied.
    ///
    /// What was applied is read inside that transaction, so of two programs starting together one applies a step and
    /// the other finds it done. Throws `newerSchema` or `migrationChanged` before anything is written.
    @discardableResult
    public func migrate(_ database: any MigratingDatabase, now: Timestamp) async throws -> [Int] {
        let steps = migrations
        // Most starts find nothing to do, and each transaction of the schema's ends with a look at every foreign key.
        let known = try? await database.read { transaction in
            try transaction.checkAppliedMigrations(against: steps)
        }
        if known == steps.count { return [] }
        try await database.migrate { transaction in
            try transaction.createMigrationTable()
            try transaction.checkAppliedMigrations(against: steps)
        }
        var applied: [Int] = []
        for step in steps {
            let isNew = try await database.migrate { transaction in
                guard try transaction.checkAppliedMigrations(against: steps) < step.number else { return false }
                try transaction.executeScript(step.script)
                try transaction.record(step, at: now)
                return true
            }
            if isNew { applied.append(step.number) }
        }
        return applied
    }
}

extension Migrator {
    /// The number of the last migration applied, without changing anything. Throws `newerSchema`, `migrationChanged`, or
    /// the engine's error for a database that isn't a store.
    public func applied(_ transaction: any Transaction) throws -> Int {
        try transaction.checkAppliedMigrations(against: migrations)
    }
}

extension Transaction {
    fileprivate func createMigrationTable() throws(StoreError) {
        try execute(
            """
            CREATE TABLE IF NOT EXISTS schema_migration (
                number BIGINT NOT NULL PRIMARY KEY,
                name TEXT NOT NULL,
                checksum TEXT NOT NULL,
                applied_at BIGINT NOT NULL
            )
            """)
    }

    /// Returns the highest number applied (0: none) after comparing all of them with `known`.
    @discardableResult
    fileprivate func checkAppliedMigrations(against known: [Migration]) throws(StoreError) -> Int {
        let rows = try rows("SELECT number, checksum FROM schema_migration ORDER BY number")
        if let last = rows.last, try last.int("number") > known.count {
            throw .newerSchema(found: try last.int("number"), known: known.count)
        }
        for (index, row) in rows.enumerated() {
            guard try row.int("number") == index + 1, try row.text("checksum") == known[index].checksum else {
                throw .migrationChanged(number: try row.int("number"))
            }
        }
        return rows.count
    }

    fileprivate func record(_ migration: Migration, at now: Timestamp) throws(StoreError) {
        try execute(
            """
            INSERT INTO schema_migration (number, name, checksum, applied_at)
            VALUES (\(migration.number), \(migration.name), \(migration.checksum), \(now))
            """)
    }
}
