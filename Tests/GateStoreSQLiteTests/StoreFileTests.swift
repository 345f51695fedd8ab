import Foundation
import GateModel
import GateStore
import GateStoreSQLite
import Testing

@Suite struct StoreFileTests {
    private let directory: TemporaryDirectory
    private let migrations: Migrator
    private let now = Timestamp(seconds: 1_772_366_400)
    private var backup: String { directory.path + "/backup.sqlite" }

    init() throws {
        directory = try TemporaryDirectory()
        migrations = try Migrator(Migration.all(for: .sqlite))
    }

    /// A migrated store with one gateway, one user and `tokens` of it, still open.
    private func store(tokens: Int) async throws -> (database: SQLiteDatabase, tokens: [ID<AccessToken>]) {
        let database = try SQLiteDatabase(path: directory.file)
        try await migrations.migrate(database, now: now)
        let ids = (0..<tokens).map { _ in ID<AccessToken>.random() }
        try await database.write { [now] transaction in
            let (tenant, user) = (ID<Tenant>.random(), ID<User>.random())
            try transaction.insertTenant(tenant, name: "default", at: now)
            try transaction.insertGateway(.random(), tenant: tenant, at: now)
            try transaction.execute(
                """
                INSERT INTO gate_user (id, tenant_id, name, kind, role, allow_from, created_at)
                VALUES (\(user), \(tenant), \("admin"), \("person"), \("admin"), \(""), \(now))
                """)
            for (number, id) in ids.enumerated() {
                try transaction.execute(
                    """
                    INSERT INTO access_token (id, tenant_id, user_id, digest, label, created_at)
                    VALUES (\(id), \(tenant), \(user), \([UInt8(number)]), \("t"), \(now))
                    """)
            }
        }
        return (database, ids)
    }

    private func living() async throws -> Int {
        let database = try SQLiteDatabase(path: directory.file)
        defer { Task { try await database.close() } }
        return try await database.read { transaction in
            try transaction.rows("SELECT id FROM access_token WHERE revoked_at IS NULL").count
        }
    }

    @Test func `a sound store has no findings, a schema and a size`() async throws {
        let (database, _) = try await store(tokens: 3)
        let report = try SQLiteStoreFile(path: directory.file).check(migrations)
        #expect(report.findings.isEmpty)
        #expect(try report.schema == Migration.all(for: .sqlite).count)
        #expect(report.fileBytes > 0 && report.logBytes > 0)
        try await database.close()
    }

    @Test func `a check finds what another version wrote, and what isn't a store`() async throws {
        let (database, _) = try await store(tokens: 0)
        let next = try Migration.all(for: .sqlite).count + 1
        _ = try await database.write { transaction in
            try transaction.execute(
                "INSERT INTO schema_migration (number, name, checksum, applied_at) VALUES (\(Int64(next)), 'later', 'x', 0)"
            )
        }
        try await database.close()
        #expect(try SQLiteStoreFile(path: directory.file).check(migrations).findings.count == 1)
        try Data(repeating: 7, count: 9_000).write(to: URL(fileURLWithPath: backup))
        #expect(try !SQLiteStoreFile(path: backup).check(migrations).findings.isEmpty)
        #expect(throws: StoreError.self) { try SQLiteStoreFile(path: directory.path + "/absent") }
        #expect(throws: StoreError.self) { try SQLiteStoreFile(path: directory.path) }
    }

    @Test func `a restored backup has everything, and nothing that was revoked since`() async throws {
        let (database, tokens) = try await store(tokens: 3)
        try SQLiteStoreFile(path: directory.file).backup(to: backup)
        try await database.write { [now] transaction in
            try transaction.execute("UPDATE access_token SET revoked_at = \(now) WHERE id = \(tokens[0])")
            try transaction.execute("DELETE FROM access_token WHERE id = \(tokens[1])")
            try transaction.execute("UPDATE gate_user SET role = 'viewer'")
        }
        try await database.close()
        let outcome = try SQLiteStoreRestore(path: directory.file, now: now).run(from: SQLiteStoreFile(path: backup))
        // The token, and the role, which was narrowed.
        #expect(outcome.revocations == 2)
        #expect(try await living() == 2)
        let kept = try #require(outcome.kept)
        #expect(try SQLiteStoreFile(path: kept).check(migrations).findings.isEmpty)
        #expect(try directory.mode(of: "store.sqlite") == 0o600)
        let actions = try await SQLiteDatabase(path: directory.file).read { transaction in
            try transaction.rows("SELECT action FROM audit_event").map { row in try row.text("action") }
        }
        #expect(actions == ["store.restored"])
    }

    @Test func `a backup takes the place of a damaged store, whose log isn't played into it`() async throws {
        let (database, _) = try await store(tokens: 3)
        try SQLiteStoreFile(path: directory.file).backup(to: backup)
        try await database.close()
        let log = Data(repeating: 0x5A, count: 5_000)
        try directory.write(Data(repeating: 0xA5, count: 8_192))
        try log.write(to: URL(fileURLWithPath: directory.file + "-wal"))
        let outcome = try SQLiteStoreRestore(path: directory.file, now: now).run(from: SQLiteStoreFile(path: backup))
        #expect(outcome.revocations == nil)
        #expect(try await living() == 3)
        let kept = try #require(outcome.kept)
        #expect(FileManager.default.contents(atPath: kept) == Data(repeating: 0xA5, count: 8_192))
        #expect(FileManager.default.contents(atPath: kept + "-wal") == log)
    }

    @Test func `a restore into an empty folder keeps nothing and needs nothing`() async throws {
        let (database, _) = try await store(tokens: 2)
        try SQLiteStoreFile(path: directory.file).backup(to: backup)
        try await database.close()
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: directory.file + suffix) }
        let outcome = try SQLiteStoreRestore(path: directory.file, now: now).run(from: SQLiteStoreFile(path: backup))
        #expect(outcome.kept == nil)
        #expect(try await living() == 2)
    }

    @Test func `an empty file is what was left of a store`() throws {
        try directory.write(Data())
        #expect { try SQLiteDatabase(path: directory.file) } throws: { error in
            if case .corrupt? = error as? StoreError { true } else { false }
        }
    }
}
