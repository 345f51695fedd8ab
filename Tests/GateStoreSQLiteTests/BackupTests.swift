import Foundation
import GateStore
import GateStoreSQLite
import Testing

@Suite struct BackupTests {
    @Test func `a backup is one private file holding one committed state`() async throws {
        let directory = try TemporaryDirectory()
        let database = try SQLiteDatabase(path: directory.file)
        try await database.createItems()
        try await database.insertItem("a", bytes: 100_000)
        try SQLiteStoreFile(path: directory.file).backup(to: directory.path + "/copy.sqlite")
        try await database.insertItem("later")
        #expect(try directory.mode(of: "copy.sqlite") == 0o600)
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        #expect(names.filter { $0.hasPrefix("copy") } == ["copy.sqlite"])
        let copy = try SQLiteDatabase(path: directory.path + "/copy.sqlite")
        #expect(try copy.itemCount() == 1)
        #expect(try SQLiteStoreFile(path: directory.path + "/copy.sqlite").damage().isEmpty)
    }

    @Test func `a backup replaces nothing`() async throws {
        let directory = try TemporaryDirectory()
        _ = try SQLiteDatabase(path: directory.file)
        let precious = directory.path + "/precious"
        try Data("precious".utf8).write(to: URL(fileURLWithPath: precious))
        let store = try SQLiteStoreFile(path: directory.file)
        #expect(throws: StoreError.self) { try store.backup(to: precious) }
        #expect(FileManager.default.contents(atPath: precious) == Data("precious".utf8))
    }
}
