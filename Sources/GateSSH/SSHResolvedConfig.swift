/// What `ssh -G` says a destination comes to: the words of ssh_config(5) in lower case, after defaults and matches.
public struct SSHResolvedConfig: Hashable, Sendable {
    public let hostname: String
    public let user: String
    /// 1 to 65535.
    public let port: Int
    /// In the order ssh tries them, `~` unexpanded.
    public let identityFiles: [String]
    /// Nil for none.
    public let proxyJump: String?
    /// Nil for none.
    public let proxyCommand: String?
    /// Every option with its values in order; most have one.
    public let options: [String: [String]]

    public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// Reads at most 1 MiB of `ssh -G` output; lines that are no `name value` are passed over.
    public init(parsing text: some StringProtocol) throws(Fault) {
        guard text.utf8.count <= 1_048_576 else { throw Fault(description: "`ssh -G` printed more than 1 MiB.") }
        var options: [String: [String]] = [:]
        for line in text.split(whereSeparator: { $0.isNewline }) {
            guard let blank = line.firstIndex(of: " ") else { continue }
            let value = line[line.index(after: blank)...]
            guard blank > line.startIndex, !value.isEmpty else { continue }
            options[line[..<blank].lowercased(), default: []].append(String(value))
        }
        guard let hostname = options["hostname"]?.first, let user = options["user"]?.first,
            let port = options["port"]?.first.flatMap({ Int($0) }), (1...65_535).contains(port)
        else { throw Fault(description: "`ssh -G` printed no hostname, user and port.") }
        func chosen(_ name: String) -> String? {
            guard let value = options[name]?.first, value.lowercased() != "none" else { return nil }
            return value
        }
        self.hostname = hostname
        self.user = user
        self.port = port
        self.identityFiles = options["identityfile"] ?? []
        self.proxyJump = chosen("proxyjump")
        self.proxyCommand = chosen("proxycommand")
        self.options = options
    }
}
