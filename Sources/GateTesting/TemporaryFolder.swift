import FoundationEssentials

/// A folder of its own for one test, removed with its last owner.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init() throws {
        let name = "tidegate-test-\(UUID().uuidString.lowercased())"
        path = FileManager.default.temporaryDirectory.appendingPathComponent(name).path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
