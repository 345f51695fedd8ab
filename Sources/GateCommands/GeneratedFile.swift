import GateClient
import GateSSH

/// Files that this program writes whole and may replace, told by their first line.
enum GeneratedFile {
    static func replace(_ path: String, with text: String) throws {
        let before = try present(path) ?? ""
        guard before.isEmpty || before.hasPrefix(JumpConfigText.firstLine) else {
            throw CommandFailure(.refused, "\(path) was not written by tidegate: name another file")
        }
        // The same again: not even its time changes.
        guard before != text else { return }
        try PrivateFile.write(text, to: path)
    }

    /// The text of a file, nil when there is none.
    static func present(_ path: String, limit: Int = 1 << 20) throws -> String? {
        do { return try BoundedFile.text(path, limit: limit) } catch {
            if error.isMissing { return nil }
            throw error
        }
    }
}
