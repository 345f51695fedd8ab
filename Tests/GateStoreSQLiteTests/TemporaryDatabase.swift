import Foundation
import GateStore
import GateStoreSQLite

/// A directory of its own for one test, removed with its last owner.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        let name = "tidegate-store-\(UUID().uuidString.lowercased())"
        path = FileManager.default.temporaryDirectory.appendingPathComponent(name).path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var file: String { path + "/store.sqlite" }

    func mode(of name: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path + "/" + name)
        return attributes[.posixPermissions] as? Int ?? -1
    }

    func write(_ bytes: Data, mode: Int = 0o600) throws {
        try bytes.write(to: URL(fileURLWithPath: file))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
    }
}

extension SQLiteDatabase {
    func createItems() async throws {
        try await migrate { transaction in
            try transaction.executeScript("CREATE TABLE item (id TEXT NOT NULL PRIMARY KEY, data BLOB);")
        }
    }

    func insertItem(_ id: String, bytes: Int = 0) async throws {
        let data = [UInt8](repeating: 1, count: bytes)
        _ = try await write { transaction in
            try transaction.execute("INSERT INTO item (id, data) VALUES (\(id), \(data))")
        }
    }

    func itemCount() throws -> Int {
        try readNow { transaction in try transaction.rows("SELECT id FROM item").count }
    }
}
