import Foundation
import GateModel
import GateStore
import GateStoreSQLite
import Testing

@Suite struct SchemaTests {
    /// A change of the schema is a visible diff. `TIDEGATE_REFRESH_SCHEMA=1` writes the file anew.
    @Test func `the committed schema is what the migrations make`() async throws {
        let directory = try TemporaryDirectory()
        let database = try SQLiteDatabase(path: directory.file)
        try await Migrator(Migration.all(for: .sqlite)).migrate(database, now: Timestamp(seconds: 0))
        let dump = try await database.schemaDump()
        let file = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Sources/GateStore/schema.sql")
        if ProcessInfo.processInfo.environment["TIDEGATE_REFRESH_SCHEMA"] == "1" {
            try Data(dump.utf8).write(to: file)
        }
        let committed = try String(contentsOf: file, encoding: .utf8)
        #expect(committed == dump, "run the tests once with TIDEGATE_REFRESH_SCHEMA=1 and review the diff")
    }
}
