/// One `Host` block of an ssh_config(5) file, its options in the order given.
public struct SSHConfigEntry: Hashable, Sendable {
    public enum Value: Hashable, Sendable {
        /// One argument; `%` tokens keep their meaning.
        case word(String)
        /// An absolute path, taken literally.
        case path(String)
        /// A `ProxyCommand`: literal words, then tokens such as `%n`.
        case command([String], tokens: [String])
    }

    public struct Option: Hashable, Sendable {
        public let name: String
        public let value: Value

        public init(_ name: String, _ value: Value) {
            self.name = name
            self.value = value
        }
    }

    /// The block, ending in a line break.
    public let text: String

    /// `host` is lower-case letters, digits, `.` and `-`: no pattern, no negation, no second name.
    public init(host: String, options: [Option]) throws(SSHConfigText.Fault) {
        guard (1...253).contains(host.utf8.count), let first = host.utf8.first, first != 0x2D, first != 0x2E,
            host.utf8.allSatisfy({
                (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D || $0 == 0x2E
            })
        else {
            throw SSHConfigText.Fault(description: "A Host name is lower-case letters, digits, . and -.")
        }
        var text = "Host \(host)\n"
        for option in options {
            try Self.check(option.name)
            let value =
                switch option.value {
                case .word(let word): try SSHConfigText.argument(word)
                case .path(let path): try SSHConfigText.path(path)
                case .command(let words, let tokens): try SSHConfigText.command(words, tokens: tokens)
                }
            text += "    \(option.name) \(value)\n"
        }
        self.text = text
    }

    private static func check(_ name: String) throws(SSHConfigText.Fault) {
        let letters = name.utf8.allSatisfy { (0x61...0x7A).contains($0 | 0x20) }
        // These three would end the block or read another file.
        guard letters, !name.isEmpty, !["host", "match", "include"].contains(name.lowercased()) else {
            throw SSHConfigText.Fault(description: "An option's name is letters alone, and not Host, Match or Include.")
        }
    }
}
