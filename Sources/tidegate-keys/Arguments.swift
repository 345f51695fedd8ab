/// What sshd wants to know: whether this key may log in as this user.
struct Lookup {
    let socketPath: String
    let user: String
    let fingerprint: String
    let type: String

    /// One line of at most 512 bytes. The pid is a hint for people; the gateway asks the kernel who we are.
    func request(parentPID: Int32) -> String {
        "lookup \(user) \(fingerprint) \(type) \(parentPID)\n"
    }
}

enum Arguments {
    case lookup(Lookup)
    case version
    case help
    case invalid(String)

    static let defaultSocket = "/run/tidegate/keys.sock"

    static let usage = """
        usage: tidegate-keys [--socket PATH] USER FINGERPRINT TYPE [KEY]
               tidegate-keys --version | --help

        For sshd_config: AuthorizedKeysCommand /path/of/tidegate-keys %u %f %t
        Asks the gateway (\(defaultSocket)) and prints one authorized_keys line, or nothing.
        """

    static func parse(_ words: ArraySlice<String>) -> Arguments {
        var words = words
        var socketPath = defaultSocket
        options: while let word = words.first, word.utf8.first == UInt8(ascii: "-") {
            words.removeFirst()
            switch word {
            case "--version": return .version
            case "--help", "-h": return .help
            case "--": break options
            case "--socket":
                guard let path = words.popFirst() else { return .invalid("--socket needs a path") }
                socketPath = path
            default: return .invalid("unknown option")
            }
        }
        // sun_path has 108 bytes with its NUL.
        guard socketPath.utf8.first == UInt8(ascii: "/"), socketPath.utf8.count < 108 else {
            return .invalid("the socket needs an absolute path of at most 107 bytes")
        }
        let fields = Array(words)
        guard fields.count == 3 || fields.count == 4 else { return .invalid("needs USER FINGERPRINT TYPE") }
        guard isField(fields[0], maxLength: 64) else { return .invalid("malformed user") }
        guard isField(fields[1], maxLength: 128) else { return .invalid("malformed fingerprint") }
        guard isField(fields[2], maxLength: 64) else { return .invalid("malformed key type") }
        // The key itself is of no use: sshd compares it with our line.
        return .lookup(
            Lookup(socketPath: socketPath, user: fields[0], fingerprint: fields[1], type: fields[2]))
    }

    /// Printable ASCII without blanks: it can neither end the request nor begin another field.
    private static func isField(_ text: String, maxLength: Int) -> Bool {
        !text.isEmpty && text.utf8.count <= maxLength && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    }
}
