import GateModel
import GateProcess
import GateSSH
import Glibc

/// The names host keys are pinned under, and what else an answer brings into an ssh configuration, each checked again:
/// a line break or a blank in one of them would be an option of its own on this computer.
package enum HostKeyName {
    package static func gateway(_ id: String) throws -> String { "\(try checked(id)).gateway.tidegate" }
    package static func machine(_ id: String) throws -> String { "\(try checked(id)).tidegate" }

    package static func user(_ text: String) throws -> String {
        guard let user = LoginName(rawValue: text) else {
            throw CommandFailure(.refused, "the gateway names a login that is none")
        }
        return user.rawValue
    }

    package static func machineName(_ text: String) throws -> String {
        guard let name = MachineName(rawValue: text) else {
            throw CommandFailure(.refused, "the gateway names a machine in a way that is refused here")
        }
        return name.rawValue
    }

    /// One known_hosts line for each key.
    package static func lines(for name: String, keys: [String]) throws -> [String] {
        try keys.map { try KnownHosts.line(for: [name], key: try SSHHostKey(parsing: $0)) }
    }

    /// Puts lines into a known_hosts file in the place of all lines with the same first word.
    package static func merge(_ lines: [String], into path: String) async throws {
        guard merged(lines, into: try GeneratedFile.present(path, limit: 8 << 20) ?? "") != nil else { return }
        // Two of us at once would each write back the file without the other's lines.
        let lock = try await lock(path + ".lock")
        if let text = merged(lines, into: try GeneratedFile.present(path, limit: 8 << 20) ?? "") {
            try PrivateFile.write(text, to: path)
        }
        withExtendedLifetime(lock) {}
    }

    /// The file's new text; nil when it says all that already.
    package static func merged(_ lines: [String], into text: String) -> String? {
        let names = Set(lines.compactMap { $0.split(separator: " ").first })
        let before = text.split(separator: "\n")
        let held = before.filter { $0.split(separator: " ").first.map(names.contains) ?? false }
        guard held != lines.map({ Substring($0) }) else { return nil }
        let kept = before.filter { !($0.split(separator: " ").first.map(names.contains) ?? false) }
        return (kept.map { String($0) } + lines).joined(separator: "\n") + "\n"
    }

    /// Waits at most five seconds for another process to have done the same.
    private static func lock(_ path: String) async throws -> FileLock {
        let deadline = ContinuousClock.now + .seconds(5)
        var lock = try free(path)
        while lock == nil, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(20))
            lock = try free(path)
        }
        guard let lock else { throw CommandFailure(.tryAgain, "\(path) is held by another process") }
        return lock
    }

    private static func free(_ path: String) throws -> FileLock? {
        do { return try FileLock(path: path) } catch let error as SystemError where error.code == EWOULDBLOCK {
            return nil
        }
    }

    private static func checked(_ id: String) throws -> String {
        guard let id = ID<Never>(id) else { throw CommandFailure(.refused, "the gateway sent an id that is none") }
        return id.text
    }
}
