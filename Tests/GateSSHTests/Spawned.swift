import Foundation

/// What a program printed and how it ended.
struct Spawned {
    let status: Int32
    let output: String
    let errors: String

    init(_ program: String, _ arguments: [String]) throws {
        let process = Process()
        let output = Pipe()
        let errors = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        self.output = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        self.errors = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        self.status = process.terminationStatus
    }
}

/// Runs `body` with a folder of its own, removed afterwards.
func withFolder<Value>(_ body: (String) throws -> Value) throws -> Value {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("gatessh-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder.path)
}

/// The `fingerprint` column of `ssh-keygen -l`.
func keygenFingerprint(_ line: String) throws -> String? {
    try withFolder { folder in
        try (line + "\n").write(toFile: folder + "/key", atomically: true, encoding: .utf8)
        let listed = try Spawned("/usr/bin/ssh-keygen", ["-l", "-E", "sha256", "-f", folder + "/key"])
        guard listed.status == 0 else { return nil }
        return listed.output.split(separator: " ").dropFirst().first.map { String($0) }
    }
}

/// A fresh public key line from ssh-keygen(1).
func keygenLine(_ type: String, bits: Int? = nil) throws -> String {
    try withFolder { folder in
        let size = bits.map { ["-b", String($0)] } ?? []
        let made = try Spawned(
            "/usr/bin/ssh-keygen", ["-q", "-t", type] + size + ["-N", "", "-C", "ada@example", "-f", folder + "/key"])
        guard made.status == 0 else { throw CocoaError(.fileNoSuchFile) }
        return try String(contentsOfFile: folder + "/key.pub", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
