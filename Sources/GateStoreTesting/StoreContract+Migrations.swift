import GateModel
import GateStore

extension StoreContract {
    static let migrationRules: [Rule] = [
        Rule("migrations apply once, in order, in any number of starts", applyOnce),
        Rule("two programs starting together migrate once", concurrentStarts),
        Rule("an edited migration is refused", editedMigration),
        Rule("a newer schema is refused", newerSchema),
        Rule("a migration that fails leaves nothing of itself", failedMigration),
        Rule("a migration can't leave references to nowhere", brokenReferences),
        Rule("the dump of equal schemas is equal and shows each change", dump),
    ]

    private static let first = Migration(
        number: 1, name: "initial", script: "CREATE TABLE one (id TEXT NOT NULL); CREATE INDEX one_id ON one (id);")
    private static let second = Migration(number: 2, name: "second", script: "CREATE TABLE two (id TEXT NOT NULL);\n")
    private static let now = Timestamp(seconds: 1_735_689_600)

    private static func applyOnce(_ database: any MigratingDatabase) async throws {
        try expectEqual(try await Migrator([first]).migrate(database, now: now), [1], "first start")
        try expectEqual(try await Migrator([first]).migrate(database, now: now), [], "second start")
        try expectEqual(try await Migrator([second, first]).migrate(database, now: now), [2], "after an update")
        let rows = try await database.read { transaction in
            try transaction.rows("SELECT number, name, checksum, applied_at FROM schema_migration ORDER BY number")
        }
        try expectEqual(try rows.map { try $0.int("number") }, [1, 2], "numbers")
        try expectEqual(try rows.map { try $0.text("name") }, ["initial", "second"], "names")
        try expectEqual(try rows.map { try $0.timestamp("applied_at") }, [now, now], "times")
        _ = try await database.write { transaction in try transaction.execute("INSERT INTO two (id) VALUES ('a')") }
    }

    private static func concurrentStarts(_ database: any MigratingDatabase) async throws {
        let applied = try await withThrowingTaskGroup(of: [Int].self) { tasks in
            for _ in 0..<4 { tasks.addTask { try await Migrator([first, second]).migrate(database, now: now) } }
            return try await tasks.reduce(into: []) { all, numbers in all += numbers }
        }
        try expectEqual(applied.sorted(), [1, 2], "applied")
    }

    private static func editedMigration(_ database: any MigratingDatabase) async throws {
        try await Migrator([first]).migrate(database, now: now)
        let edited = Migration(number: 1, name: "initial", script: first.script + " ")
        try await expectFailure("edited", { $0 == .migrationChanged(number: 1) }) {
            try await Migrator([edited, second]).migrate(database, now: now)
        }
        try await expectFailure("table two", { if case .engine = $0 { true } else { false } }) {
            _ = try await database.read { transaction in try transaction.rows("SELECT id FROM two") }
        }
    }

    private static func newerSchema(_ database: any MigratingDatabase) async throws {
        try await Migrator([first, second]).migrate(database, now: now)
        try await expectFailure("newer", { $0 == .newerSchema(found: 2, known: 1) }) {
            try await Migrator([first]).migrate(database, now: now)
        }
    }

    private static func failedMigration(_ database: any MigratingDatabase) async throws {
        let broken = Migration(number: 2, name: "broken", script: "CREATE TABLE three (id TEXT); SELEKT 1;")
        try await expectFailure("broken", { if case .engine = $0 { true } else { false } }) {
            try await Migrator([first, broken]).migrate(database, now: now)
        }
        try expectEqual(try await Migrator([first, second]).migrate(database, now: now), [2], "after the repair")
        try expect(try await !database.schemaDump().contains("three"), "half a migration remained")
    }

    private static func brokenReferences(_ database: any MigratingDatabase) async throws {
        try await database.write { transaction in
            try transaction.insertItem("a")
            try transaction.execute("INSERT INTO note (id, item_id) VALUES ('n', 'a')")
        }
        let careless = Migration(number: 1, name: "careless", script: "DELETE FROM item;")
        try await expectFailure("careless", \.isConflict) {
            try await Migrator([careless]).migrate(database, now: now)
        }
        let ids = try database.readNow { transaction in try transaction.itemIDs() }
        try expectEqual(ids, ["a"], "items")
        // And foreign keys hold as before.
        try await expectFailure("foreign key", \.isConflict) {
            _ = try await database.write { transaction in try transaction.execute("DELETE FROM item") }
        }
    }

    private static func dump(_ database: any MigratingDatabase) async throws {
        let before = try await database.schemaDump()
        try expectEqual(try await database.schemaDump(), before, "dump")
        try await Migrator([first]).migrate(database, now: now)
        let after = try await database.schemaDump()
        try expect(after.contains("one_id") && !before.contains("one_id"), "an index is missing in \(after)")
    }
}
