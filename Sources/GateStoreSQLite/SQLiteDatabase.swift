import GRDB
public import GateStore

/// SQLite in one file. GRDB serves as the driver only: connection pool and statement cache, no records, no queries.
///
/// One instance per file and process; nothing else opens the file while it lives.
public final class SQLiteDatabase: MigratingDatabase {
    public let dialect = SQLDialect.sqlite
    let pool: DatabasePool
    let committer: GroupCommitter

    /// Whether the start read the whole file. Larger ones are read later (`quickCheck`).
    public let wasRead: Bool

    /// Files up to this many bytes are read as a whole when they are opened: about a tenth of a second.
    static let readLimit: Int64 = 64 << 20

    /// Opens the file, or creates it readable by its owner alone.
    ///
    /// Throws `corrupt` for a file that is damaged or no database, `full` for one that can't be written, and what
    /// `migrations` say of a schema they don't know. The file is as it was then.
    public init(path: String, migrations: Migrator? = nil) throws(StoreError) {
        do {
            if try SQLiteFile.prepare(path: path) {
                let file = try SQLiteStoreFile(path: path)
                try file.vet(limit: Self.readLimit)
                if let migrations { _ = try file.schema(migrations) }
            }
        } catch {
            throw StoreError(mapping: error)
        }
        wasRead = SQLiteFile.size(path) <= Self.readLimit
        do {
            pool = try DatabasePool(path: path, configuration: Self.configuration)
            try pool.writeWithoutTransaction { connection in
                // Only now: opening a pool sets NORMAL, which may lose the last commits when the power fails.
                try connection.execute(sql: "PRAGMA synchronous = FULL")
                guard try Int.fetchOne(connection, sql: "PRAGMA synchronous") == 2 else {
                    throw StoreError.engine(code: "sqlite refuses synchronous=FULL")
                }
                // Pages until the log is moved into the file. SQLite's 1,000 are a few dozen changes of ours, and each time costs
                // two more syncs while every caller waits.
                try connection.execute(sql: "PRAGMA wal_autocheckpoint = 8192")
                // What a stalled reader made the log grow to is given back at the next checkpoint.
                try connection.execute(sql: "PRAGMA journal_size_limit = 67108864")
            }
        } catch {
            throw StoreError(mapping: error)
        }
        committer = GroupCommitter(pool: pool)
    }

    /// Runs on the reader's own queue and gives the reader back there. The driver's own async `read` holds its reader until
    /// the caller's task goes on, for which it needs a thread of the concurrency pool; when all of those wait in `readNow`
    /// for a reader, neither side moves again.
    public func read<Value: Sendable>(_ body: @escaping @Sendable (any GateStore.Transaction) throws -> Value)
        async throws -> Value
    {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
            pool.asyncRead { connection in
                continuation.resume(
                    with: Result {
                        do {
                            return try body(SQLiteTransaction(connection: try connection.get()))
                        } catch let error as DatabaseError {
                            throw StoreError(mapping: error)
                        }
                    })
            }
        }
    }

    public func readNow<Value>(_ body: (any GateStore.Transaction) throws -> Value) throws -> Value {
        do {
            return try pool.read { connection in try body(SQLiteTransaction(connection: connection)) }
        } catch let error as DatabaseError {
            throw StoreError(mapping: error)
        }
    }

    public func write<Value: Sendable>(_ body: @escaping @Sendable (any GateStore.Transaction) throws -> Value)
        async throws -> Value
    {
        try await committer.write(body)
    }

    /// Counters since the start, for metrics.
    public var commitCounts: CommitCounts { committer.counts }

    /// Commits what was accepted and closes the file; later writes throw `transient`.
    public func close() async throws { try await committer.close() }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.label = "tidegate.store"
        configuration.foreignKeysEnabled = true
        // The default is to fail at once, e.g. while a backup tool holds the file.
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { connection in
            // A schema that somebody else wrote can't call functions with side effects.
            try connection.execute(sql: "PRAGMA trusted_schema = OFF")
        }
        return configuration
    }
}
