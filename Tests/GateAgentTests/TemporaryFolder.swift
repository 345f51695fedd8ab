import Glibc
import Testing

/// A folder that goes with the test.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/tidegate-tests-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        var folders: [String] = []
        Self.walk(path, into: &folders) { unlink($0) }
        for folder in folders.reversed() { rmdir(folder) }
    }

    /// Writes a file, mode 0600, and returns its path.
    func write(_ name: String, _ text: String) throws -> String {
        let file = path + "/" + name
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        try #require(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
        return file
    }

    /// The paths of all files below it, from its root.
    func files() -> [String] {
        var folders: [String] = []
        var found: [String] = []
        Self.walk(path, into: &folders) { found.append(String($0.dropFirst(path.count))) }
        return found.sorted()
    }

    /// Calls the body for each file and collects the folders, outer ones first.
    private static func walk(_ folder: String, into folders: inout [String], _ body: (String) -> Void) {
        folders.append(folder)
        guard let listing = opendir(folder) else { return }
        defer { closedir(listing) }
        while let entry = readdir(listing) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != ".." else { continue }
            var facts = stat()
            guard lstat(folder + "/" + name, &facts) == 0 else { continue }
            if facts.st_mode & S_IFMT == S_IFDIR {
                walk(folder + "/" + name, into: &folders, body)
            } else {
                body(folder + "/" + name)
            }
        }
    }
}
