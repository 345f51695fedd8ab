import Glibc

/// A literal IPv4 or IPv6 address and a port, in the one spelling that sshd compares byte for byte.
///
/// Never a name: `localhost` may mean `::1`, where any local user can bind the same port number and be taken for the
/// machine behind it.
public struct SSHAddress: Hashable, Sendable, CustomStringConvertible {
    /// Canonical as inet_ntop(3) writes it, without brackets.
    public let host: String
    /// 1 to 65535.
    public let port: Int

    public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        public let description: String
    }

    public init(host: some StringProtocol, port: Int) throws(Fault) {
        guard let canonical = Self.canonical(String(host)) else {
            throw Fault(description: "An address is a literal such as 127.0.0.1 or ::1, never a name.")
        }
        guard (1...65_535).contains(port) else { throw Fault(description: "A port is 1 to 65535.") }
        self.host = canonical
        self.port = port
    }

    /// Reads `127.0.0.1:20017` or `[::1]:20017`.
    public init(parsing text: some StringProtocol) throws(Fault) {
        guard let (host, port) = HostPort.split(text) else {
            throw Fault(description: "An address with port looks like 127.0.0.1:20017 or [::1]:20017.")
        }
        try self.init(host: host, port: port)
    }

    /// `127.0.0.1:20017` or `[::1]:20017`.
    public var text: String { HostPort.join(host, port) }
    public var description: String { text }

    public var isIPv6: Bool { host.utf8.contains(UInt8(ascii: ":")) }
    /// 127.0.0.0/8 or ::1.
    public var isLoopback: Bool { host == "::1" || (host.hasPrefix("127.") && !isIPv6) }

    /// What `permitopen` and `permitlisten` name for "nothing": only root may bind it, and sshd refuses to (tcpmux).
    package static let nothing = Self(canonical: "127.0.0.1", port: 1)

    private init(canonical: String, port: Int) {
        self.host = canonical
        self.port = port
    }

    /// The canonical spelling of an IPv4 or IPv6 literal, nil for anything else (names, zone ids, `127.1`, `010.0.0.1`).
    static func canonical(_ host: String) -> String? {
        // A NUL would end the C string early and hide what follows.
        guard (2...45).contains(host.utf8.count), !host.utf8.contains(0) else { return nil }
        let family = host.utf8.contains(UInt8(ascii: ":")) ? AF_INET6 : AF_INET
        var binary = in6_addr()
        guard inet_pton(family, host, &binary) == 1 else { return nil }
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(family, &binary, &buffer, socklen_t(buffer.count)) != nil else { return nil }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// `host:port` and `[host]:port` as text, the host unchecked.
enum HostPort {
    static func join(_ host: String, _ port: Int) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Brackets are for IPv6 and required there; the port has no sign and no leading zero.
    static func split(_ text: some StringProtocol) -> (host: String, port: Int)? {
        // By bytes: a combining mark behind the colon would make one character of both and hide in it.
        guard text.utf8.count <= 300 else { return nil }
        let bytes = Array(text.utf8)
        guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        let digits = bytes[(colon + 1)...]
        guard (1...5).contains(digits.count), digits.first != 0x30,
            digits.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        let port = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        var host = String(decoding: bytes[..<colon], as: UTF8.self)
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            return nil
        }
        return (host, port)
    }
}
