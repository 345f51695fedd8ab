/// Text of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT) that pins keys to plain names.
public enum KnownHosts {
    public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// One line without its line break, `name[,name…] type base64`; 1 to 64 names.
    public static func line(for names: [String], key: SSHHostKey) throws(Fault) -> String {
        guard (1...64).contains(names.count) else { throw Fault(description: "A known_hosts line has 1 to 64 names.") }
        for name in names { try check(name) }
        return names.joined(separator: ",") + " " + key.line
    }

    /// A whole file, one line per entry.
    public static func file(_ entries: [(names: [String], key: SSHHostKey)]) throws(Fault) -> String {
        var text = ""
        for entry in entries { text += try line(for: entry.names, key: entry.key) + "\n" }
        return text
    }

    /// How ssh looks a host up: the plain name on port 22, else `[name]:port`.
    public static func name(host: String, port: Int) -> String { port == 22 ? host : "[\(host)]:\(port)" }

    /// A comma, `*`, `?`, `!`, `|`, `@` or a line break in a name would pin the key to hosts nobody meant.
    private static func check(_ name: String) throws(Fault) {
        let plain = name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: ".-_:[]".utf8.contains(byte)
            }
        }
        guard plain, (1...255).contains(name.utf8.count) else {
            throw Fault(description: "A known_hosts name has 1 to 255 letters, digits or . - _ : [ ].")
        }
    }
}
