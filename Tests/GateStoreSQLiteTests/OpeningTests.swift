import Foundation
import GateStore
import GateStoreSQLite
import Testing

@Suite struct OpeningTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func `commits are synced in full, in a write-ahead log, with foreign keys`() async throws {
        let database = try SQLiteDatabase(path: directory.file)
        let (synchronous, foreignKeys, journal) = try await database.write { transaction in
            (
                try transaction.rows("PRAGMA synchronous").first?.int("synchronous"),
                try transaction.rows("PRAGMA foreign_keys").first?.int("foreign_keys"),
                try transaction.rows("PRAGMA journal_mode").first?.text("journal_mode")
            )
        }
        #expect(synchronous == 2)
        #expect(foreignKeys == 1)
        #expect(journal == "wal")
    }

    @Test func `only the owner may read any of its files`() async throws {
        let database = try SQLiteDatabase(path: directory.file)
        try await database.createItems()
        try await database.insertItem("a")
        for name in ["store.sqlite", "store.sqlite-wal", "store.sqlite-shm"] {
            #expect(try directory.mode(of: name) == 0o600, "\(name)")
        }
    }

    @Test func `a file others may read is refused`() throws {
        try directory.write(Data(), mode: 0o640)
        #expect { try SQLiteDatabase(path: directory.file) } throws: { error in
            guard case .engine(let code)? = error as? StoreError else { return false }
            return code.contains("chmod 600")
        }
    }

    @Test func `a symbolic link is refused, dangling or not`() throws {
        try FileManager.default.createSymbolicLink(
            atPath: directory.file, withDestinationPath: directory.path + "/elsewhere")
        expectCorrupt()
        #expect(!FileManager.default.fileExists(atPath: directory.path + "/elsewhere"))
    }

    @Test func `a file that is no database is refused and left as it was`() throws {
        let text = Data(String(repeating: "This is not a database. ", count: 100).utf8)
        try directory.write(text)
        expectCorrupt()
        #expect(FileManager.default.contents(atPath: directory.file) == text)
    }

    @Test func `a truncated file is refused`() async throws {
        let whole = try await fileWithItems()
        try directory.write(whole.prefix(whole.count / 2 / 4096 * 4096))
        expectCorrupt()
    }

    @Test func `a damaged page is refused`() async throws {
        var bytes = try await fileWithItems()
        for index in 4096..<(4096 * 6) { bytes[index] = 0xA5 }
        try directory.write(bytes)
        expectCorrupt()
    }

    @Test func `a directory that is absent can't be written`() {
        #expect { try SQLiteDatabase(path: directory.path + "/absent/store.sqlite") } throws: { error in
            if case .full? = error as? StoreError { true } else { false }
        }
    }

    @Test func `what was committed is there after a restart`() async throws {
        let database = try SQLiteDatabase(path: directory.file)
        try await database.createItems()
        try await database.insertItem("a")
        try await database.close()
        let reopened = try SQLiteDatabase(path: directory.file)
        #expect(try reopened.itemCount() == 1)
        #expect(try SQLiteStoreFile(path: directory.file).damage().isEmpty)
    }

    private func fileWithItems() async throws -> Data {
        let database = try SQLiteDatabase(path: directory.file)
        try await database.createItems()
        for index in 0..<40 { try await database.insertItem("item-\(index)", bytes: 3000) }
        try await database.checkpoint()
        try await database.close()
        return try #require(FileManager.default.contents(atPath: directory.file))
    }

    private func expectCorrupt(sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(sourceLocation: sourceLocation) {
            try SQLiteDatabase(path: directory.file)
        } throws: { error in
            if case .corrupt? = error as? StoreError { true } else { false }
        }
    }
}
