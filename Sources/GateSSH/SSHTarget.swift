/// Where a forwarding ends: a name of RFC 1123 (folded to lower case) or a literal address, and a port.
public struct SSHTarget: Hashable, Sendable, CustomStringConvertible {
    public let host: String
    /// 1 to 65535.
    public let port: Int

    public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        public let description: String
    }

    public init(host: some StringProtocol, port: Int) throws(Fault) {
        guard let host = SSHAddress.canonical(String(host)) ?? Self.name(String(host)) else {
            throw Fault(description: "A host is a name such as db.example.org or a literal such as 10.0.0.5 or ::1.")
        }
        guard (1...65_535).contains(port) else { throw Fault(description: "A port is 1 to 65535.") }
        self.host = host
        self.port = port
    }

    /// Reads `db.example.org:5432`, `10.0.0.5:8080` or `[::1]:22`.
    public init(parsing text: some StringProtocol) throws(Fault) {
        guard let (host, port) = HostPort.split(text) else {
            throw Fault(description: "A target looks like db.example.org:5432, 10.0.0.5:8080 or [::1]:22.")
        }
        try self.init(host: host, port: port)
    }

    public init(_ address: SSHAddress) {
        self.host = address.host
        self.port = address.port
    }

    public var text: String { HostPort.join(host, port) }
    public var description: String { text }

    /// `localhost` and names below it, which each resolver reads as it likes.
    public var isLocalhostName: Bool { host == "localhost" || host.hasSuffix(".localhost") }

    private static func name(_ text: String) -> String? {
        guard (1...253).contains(text.utf8.count) else { return nil }
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        for label in labels {
            guard (1...63).contains(label.count), label.first != 0x2D, label.last != 0x2D,
                label.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20) || $0 == 0x2D })
            else { return nil }
        }
        // inet_aton(3) reads `127.1`, `0x7f.1` and `2130706433` as addresses: to a resolver these are no names.
        guard let last = labels.last, let first = last.first, !(0x30...0x39).contains(first) else { return nil }
        return text.lowercased()
    }
}
