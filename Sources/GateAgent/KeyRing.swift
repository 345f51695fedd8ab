import GateClient
import GateModel
import GateSSH
import Glibc

/// The agent's own key files, `keys/key-NNNNNN`, mode 0600; private halves never leave this folder.
///
/// Each start of the agent makes a key, and registering it revokes the one before. Until the gateway's answer is read
/// nobody knows which of the two lets us in, so both files stay; an answer that was lost must not lock a machine out
/// that reaches its gateway through ssh alone.
public struct KeyRing: Sendable {
    /// Files kept at most: an sshd ends a login after its sixth key (`MaxAuthTries`).
    static let limit = 4

    /// One key pair on disk.
    public struct Entry: Sendable, Hashable {
        public let path: String
        public let publicKey: SSHPublicKey
        let number: Int
    }

    public let folder: String

    public init(folder: String) { self.folder = folder }

    /// What is there, newest first; damaged files are passed over.
    public func entries() -> [Entry] {
        guard let listing = opendir(folder) else { return [] }
        defer { closedir(listing) }
        var found: [Entry] = []
        while let entry = readdir(listing) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name.hasPrefix("key-"), let number = Int(name.dropFirst(4)),
                let text = try? BoundedFile.text("\(folder)/\(name).pub", limit: 4_096),
                let key = try? SSHPublicKey(parsing: text.split(whereSeparator: \.isNewline).first ?? "")
            else { continue }
            found.append(Entry(path: "\(folder)/\(name)", publicKey: key, number: number))
        }
        return found.sorted { $0.number > $1.number }
    }

    /// Makes a key pair and writes both halves.
    public func makeKey() throws(AgentError) -> Entry {
        let known = entries()
        for old in known.dropFirst(Self.limit - 1) { remove(old) }
        let number = (known.first?.number ?? 0) + 1
        let digits = String(number)
        let path = "\(folder)/key-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
        let key = EphemeralKey.generate()
        do {
            try PrivateFile.makeFolder(folder)
            try PrivateFile.write(key.privateKeyFile, to: path)
            // Second, because an entry counts only when both are there.
            try PrivateFile.write(key.publicKey.line + "\n", to: path + ".pub")
        } catch {
            throw .state("\(error)")
        }
        return Entry(path: path, publicKey: key.publicKey, number: number)
    }

    /// The gateway knows this key, and so no other of ours.
    public func confirm(_ entry: Entry) {
        for other in entries() where other != entry { remove(other) }
    }

    private func remove(_ entry: Entry) {
        unlink(entry.path + ".pub")
        unlink(entry.path)
    }
}
