import GateSSH

/// Where the gateway itself may be told to call: `https://HOST[:PORT][/PATH][?QUERY]`, or `http://` to a loopback
/// literal where that is allowed. Taken apart once, so that what is checked is what is called.
public struct OutboundURL: Sendable, Hashable, CustomStringConvertible {
    /// Whether a URL may name this host's own loopback.
    public enum Loopback: Sendable, Hashable {
        /// For what a stored value names, and for what an answer names (`jwks_uri`).
        case refused
        /// For what the operator wrote: a literal (127.0.0.1, [::1]) is then meant. A name never is, since whoever
        /// answers for the name decides where it leads.
        case literal
    }

    /// Why a text is no such URL, in words for a person. It never repeats the text, which may hold a secret.
    public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// Longest text read.
    public static let limit = 2_048

    public let isTLS: Bool
    /// In lower case; an IPv6 address without its brackets.
    public let host: String
    /// 1 to 65535.
    public let port: Int
    /// Whether `host` is an address.
    public let isLiteral: Bool
    /// Whether `host` is 127.0.0.0/8 or ::1, which was allowed then.
    public let isLoopback: Bool
    /// Path and query as they were given, at least `/`.
    public let target: String

    public init(_ text: some StringProtocol, loopback: Loopback = .refused) throws(Fault) {
        guard text.utf8.count <= Self.limit else {
            throw Fault(description: "a URL has at most \(Self.limit) characters")
        }
        // A blank or a line break would end the request line; a backslash is a slash to some readers and not to others.
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !#"\^`{|}<>""#.utf8.contains($0) }) else {
            throw Fault(description: "a URL holds neither blanks nor characters outside RFC 3986")
        }
        let scheme = ["https://", "http://"].first { text.lowercased().hasPrefix($0) }
        guard let scheme else { throw Fault(description: "a URL begins with https://") }
        isTLS = scheme == "https://"
        let rest = text.dropFirst(scheme.utf8.count)
        guard !rest.contains("#") else { throw Fault(description: "a URL called by the gateway has no fragment ('#')") }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<end]
        guard !authority.contains("@") else {
            throw Fault(description: "a URL called by the gateway has no user name or password ('@')")
        }
        (host, port, isLiteral) = try Self.hostAndPort(authority, defaultPort: isTLS ? 443 : 80)
        isLoopback = isLiteral && (host == "::1" || host.hasPrefix("127."))
        let tail = rest[end...]
        target = tail.hasPrefix("/") ? String(tail) : "/" + tail
        guard !isLoopback || loopback == .literal else {
            throw Fault(description: "the URL leads to this host's loopback, which is not allowed here")
        }
        guard isTLS || isLoopback else {
            throw Fault(
                description: "plain http:// is for a loopback literal such as http://127.0.0.1:8080 only; use https://")
        }
    }

    /// The same URL with `path` behind its own path; a query is dropped.
    public func appending(_ path: StaticString) -> OutboundURL {
        var base = String(target.prefix { $0 != "?" })
        while base.hasSuffix("/") { base.removeLast() }
        return OutboundURL(self, target: base + "\(path)")
    }

    private init(_ other: OutboundURL, target: String) {
        isTLS = other.isTLS
        host = other.host
        port = other.port
        isLiteral = other.isLiteral
        isLoopback = other.isLoopback
        self.target = target
    }

    /// Scheme, host and port in their one spelling: what RFC 6454 calls the origin.
    public var origin: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return (isTLS ? "https://" : "http://") + name + (port == (isTLS ? 443 : 80) ? "" : ":\(port)")
    }

    /// The whole URL. A path or a query may hold a secret (a webhook's): for logs there is `origin`.
    public var text: String { origin + target }
    public var description: String { origin }

    private static func hostAndPort(
        _ authority: some StringProtocol, defaultPort: Int
    ) throws(Fault) -> (host: String, port: Int, isLiteral: Bool) {
        var host = String(authority)
        var port = defaultPort
        let afterBracket = host.lastIndex(of: "]").map { host.index(after: $0) } ?? host.startIndex
        if let colon = host[afterBracket...].firstIndex(of: ":") {
            let digits = host[host.index(after: colon)...].utf8
            guard (1...5).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = Int(host[host.index(after: colon)...]), (1...65_535).contains(number)
            else { throw Fault(description: "a URL's port is 1 to 65535") }
            port = number
            host = String(host[..<colon])
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            guard let address = try? SSHAddress(host: host.dropFirst().dropLast(), port: port), address.isIPv6 else {
                throw Fault(description: "a URL's host in brackets is an IPv6 address")
            }
            return (address.host, port, true)
        }
        if let address = try? SSHAddress(host: host, port: port), !address.isIPv6 { return (address.host, port, true) }
        guard isHostName(host) else {
            throw Fault(description: "a URL's host is a name of letters, digits, '-' and '.', or an address")
        }
        return (host.lowercased(), port, false)
    }

    /// RFC 1123, section 2.1. A last label that is a number (`2130706433`, `127.1`, `0x7f000001`) is an address to the
    /// C library and a name to whoever reads the setting.
    private static func isHostName(_ text: String) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= 253, let last = labels.last?.utf8,
            labels.allSatisfy({ label in
                (1...63).contains(label.utf8.count) && label.utf8.first != UInt8(ascii: "-")
                    && label.utf8.last != UInt8(ascii: "-")
                    && label.utf8.allSatisfy {
                        (0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20) || $0 == UInt8(ascii: "-")
                    }
            })
        else { return false }
        return !last.allSatisfy { (0x30...0x39).contains($0) }
            && !(last.first == 0x30 && last.dropFirst().first == 0x78)
    }
}
