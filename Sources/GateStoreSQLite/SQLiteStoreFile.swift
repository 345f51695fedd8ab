import GRDB
public import GateStore
import Glibc

/// A store's file looked at from outside, opened for reading only: beside a running gateway or without one. Neither the
/// file nor its write-ahead log is changed, so that a damaged store stays as it was found.
public struct SQLiteStoreFile: Sendable {
    public let path: String

    /// What a check found.
    public struct Report: Sendable, Hashable {
        /// Empty for a sound store; at most 100.
        public var findings: [String] = []
        /// The highest migration applied; nil when it can't be read.
        public var schema: Int?
        /// Bytes of the file and of its write-ahead log.
        public var fileBytes: Int64 = 0
        public var logBytes: Int64 = 0

        public init(findings: [String] = [], fileBytes: Int64 = 0, logBytes: Int64 = 0) {
            self.findings = findings
            self.fileBytes = fileBytes
            self.logBytes = logBytes
        }
    }

    /// Progress of a copy in pages.
    public typealias Progress = @Sendable (_ done: Int, _ total: Int) -> Void

    /// Throws `full` for a file that isn't there or may not be read, `corrupt` for what can't be a store at first sight.
    public init(path: String) throws(StoreError) {
        self.path = path
        var status = stat()
        guard lstat(path, &status) == 0, access(path, R_OK) == 0 else {
            throw .full("can't read \(path): \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .corrupt("\(path) is not a regular file") }
        // SQLite takes an empty file for a new database, and a gateway that lost everything would start as if it were new.
        guard status.st_size > 0 else { throw .corrupt("\(path) is empty") }
    }

    /// Reads everything (pages, indices, constraints, foreign keys) and whether `migrations` know the schema.
    public func check(_ migrations: Migrator) -> Report {
        var report = Report(fileBytes: SQLiteFile.size(path), logBytes: SQLiteFile.size(path + "-wal"))
        do {
            report.findings = try damage()
            report.schema = try schema(migrations)
            if report.schema == nil { report.findings.append("it has no tables") }
        } catch {
            report.findings.append(Self.words(error))
        }
        return report
    }

    /// What is wrong with the pages, the indices and the references between rows, at most 100 findings.
    public func damage() throws(StoreError) -> [String] {
        do {
            return try read { connection in
                var findings = try String.fetchAll(connection, sql: "PRAGMA integrity_check(100)")
                if findings == ["ok"] { findings = [] }
                for row in try Row.fetchAll(connection, sql: "SELECT * FROM pragma_foreign_key_check LIMIT 100") {
                    findings.append("a foreign key points nowhere: \(row.databaseValues.map(\.description))")
                }
                return Array(findings.prefix(100))
            }
        } catch {
            throw StoreError(mapping: error)
        }
    }

    /// The number of the last migration applied; nil for a database without tables. Throws `newerSchema` or
    /// `migrationChanged` where `migrations` don't know what was applied.
    public func schema(_ migrations: Migrator) throws(StoreError) -> Int? {
        do {
            return try read { connection in
                let isNew = try Int.fetchOne(connection, sql: "SELECT count(*) FROM sqlite_schema") == 0
                return isNew ? nil : try migrations.applied(SQLiteTransaction(connection: connection))
            }
        } catch {
            throw StoreError(mapping: error)
        }
    }

    /// Runs `body` over one committed state, also beside a running gateway.
    public func look<Value>(_ body: (any GateStore.Transaction) throws -> Value) throws -> Value {
        do {
            return try read { connection in try body(SQLiteTransaction(connection: connection)) }
        } catch let error as DatabaseError {
            throw StoreError(mapping: error)
        }
    }

    /// What is wrong with the write-ahead log, or nil. No gateway may run on the store.
    public func logDamage() throws(StoreError) -> String? { try WriteAheadLog(path: path + "-wal").damage() }

    /// What a start asks: are log and file whole? Reads all of a file up to `limit` bytes, the roots of a larger one only, because
    /// a start must not take longer with every key.
    func vet(limit: Int64) throws(StoreError) {
        if let damage = try logDamage() { throw .corrupt(damage) }
        do {
            try read { connection in
                let tables = try String.fetchAll(
                    connection, sql: "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0")
                for table in tables {
                    _ = try Row.fetchOne(connection, sql: "SELECT * FROM \(table.quotedDatabaseIdentifier) LIMIT 1")
                }
                guard SQLiteFile.size(path) <= limit else { return }
                let findings = try String.fetchAll(connection, sql: "PRAGMA quick_check(1)")
                guard findings == ["ok"] else { throw StoreError.corrupt(findings.first ?? "quick_check is silent") }
            }
        } catch {
            throw StoreError(mapping: error)
        }
    }

    /// Copies one committed state to a new file of mode 0600, also while a gateway writes.
    ///
    /// The name appears when the copy is complete and synced; an existing file is refused.
    public func backup(to destination: String, progress: Progress? = nil) throws(StoreError) {
        let partial = destination + ".partial"
        SQLiteFile.remove(path: partial)
        do {
            // Before anything is copied: a big store takes a while.
            guard access(destination, F_OK) != 0 else { throw StoreError.full("\(destination) exists already") }
            try requireRoom(for: destination)
            try copy(to: partial, progress: progress)
            try SQLiteFile.publish(partial, as: destination)
        } catch {
            SQLiteFile.remove(path: partial)
            throw StoreError(mapping: error)
        }
    }

    /// SQLite has no words of its own for a copy whose disk is full.
    private func requireRoom(for destination: String) throws(StoreError) {
        let folder = destination.lastIndex(of: "/").map { String(destination[...$0]) } ?? "."
        var disk = statvfs()
        guard statvfs(folder, &disk) == 0 else {
            throw .full("can't use \(folder): \(String(cString: strerror(errno)))")
        }
        let needed: Int64
        do {
            needed = try read { connection in
                let pages = try Int64.fetchOne(connection, sql: "PRAGMA page_count") ?? 0
                return try pages * (Int64.fetchOne(connection, sql: "PRAGMA page_size") ?? 0)
            }
        } catch {
            throw StoreError(mapping: error)
        }
        let free = Int64(clamping: UInt64(disk.f_bavail) * UInt64(disk.f_frsize))
        guard free >= needed else {
            throw .full("no room for \(destination): it takes \(needed) bytes, and its disk has \(free) left")
        }
    }

    /// Makes `destination` (mode 0600) a copy in one file, without a log.
    func copy(to destination: String, progress: Progress?) throws {
        try SQLiteFile.create(path: destination)
        var configuration = Configuration()
        configuration.label = "tidegate.store.copy"
        let queue = try DatabaseQueue(path: destination, configuration: configuration)
        try read { source in
            // A first read holds one state for all steps; without it a writer would make the copy begin again.
            _ = try Row.fetchOne(source, sql: "SELECT 1 FROM sqlite_schema")
            try queue.writeWithoutTransaction { connection in
                try source.backup(to: connection, pagesPerStep: 4_096) { step in
                    progress?(step.totalPageCount - step.remainingPageCount, step.totalPageCount)
                }
            }
        }
        try queue.writeWithoutTransaction { connection in
            // The copy says "write-ahead log" in its header; without it, the backup is one file that can be moved.
            try connection.execute(sql: "PRAGMA journal_mode = DELETE")
        }
        try queue.close()
    }

    private func read<Value>(_ body: (GRDB.Database) throws -> Value) throws -> Value {
        var configuration = Configuration()
        configuration.label = "tidegate.store.look"
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { connection in try connection.execute(sql: "PRAGMA trusted_schema = OFF") }
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        defer { try? queue.close() }
        return try queue.read(body)
    }

    private static func words(_ error: any Error) -> String {
        switch StoreError(mapping: error) {
        case .corrupt(let reason), .full(let reason), .transient(let reason): reason
        case .newerSchema(let found, let known): "its schema is \(found), this program knows \(known)"
        case .migrationChanged(let number): "migration \(number) was made by another build"
        case let other: "\(other)"
        }
    }
}
