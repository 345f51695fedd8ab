import Foundation
import GateStore
import GateStoreSQLite
import Testing

@Suite struct WriteAheadLogTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// File and log as a kill leaves them: 40 commits, none of them moved into the file yet.
    private func killed() async throws -> Data {
        let original = directory.path + "/original.sqlite"
        let database = try SQLiteDatabase(path: original)
        try await database.createItems()
        for index in 0..<40 { try await database.insertItem("item-\(index)", bytes: 3000) }
        let files = FileManager.default
        try files.copyItem(atPath: original, toPath: directory.file)
        return try #require(files.contents(atPath: original + "-wal"))
    }

    private func open(log: Data) throws -> SQLiteDatabase {
        let path = directory.file + "-wal"
        try #require(
            FileManager.default.createFile(atPath: path, contents: log, attributes: [.posixPermissions: 0o600]))
        return try SQLiteDatabase(path: directory.file)
    }

    @Test func `a whole log is played`() async throws {
        #expect(try await open(log: killed()).itemCount() == 40)
    }

    @Test(arguments: [1, 24, 500, 4_119]) func `a torn end loses the commit it tore and no other`(bytes: Int)
        async throws
    {
        #expect(try await open(log: killed().dropLast(bytes)).itemCount() == 39)
    }

    @Test func `damage in the middle is refused, and nothing is changed`() async throws {
        var log = try await killed()
        for index in (log.count / 2)..<(log.count / 2 + 5_000) { log[index] ^= 0xA5 }
        let file = FileManager.default.contents(atPath: directory.file)
        expectCorrupt(log: log)
        #expect(FileManager.default.contents(atPath: directory.file) == file)
        #expect(FileManager.default.contents(atPath: directory.file + "-wal") == log)
    }

    @Test func `a lost header is refused`() async throws {
        var log = try await killed()
        for index in 0..<32 { log[index] ^= 0x5A }
        expectCorrupt(log: log)
    }

    @Test func `a log without its store is refused`() async throws {
        let log = try await killed()
        try FileManager.default.removeItem(atPath: directory.file)
        expectCorrupt(log: log)
    }

    private func expectCorrupt(log: Data, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(sourceLocation: sourceLocation) {
            _ = try open(log: log)
        } throws: { error in
            if case .corrupt? = error as? StoreError { true } else { false }
        }
    }
}
