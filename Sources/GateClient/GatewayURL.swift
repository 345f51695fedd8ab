/// The address of a gateway's API as a person writes it: `https://gateway.example[:PORT][/PREFIX]`, taken apart and
/// checked, but not yet allowed: see `GatewayEndpoint`.
public struct GatewayURL: Sendable, Hashable, CustomStringConvertible {
    /// How bytes travel once connected.
    public enum Scheme: String, Sendable { case http, https }

    public let scheme: Scheme
    /// Lower case, an IPv6 address without its brackets.
    public let host: String
    public let port: Int
    /// Whether the text named the port.
    public let namesPort: Bool
    /// Empty, or `/a/b` without a slash at its end.
    public let prefix: String

    /// Takes the text apart; throws words that name what is wrong with it.
    public init(_ text: String) throws(RefusedURL) {
        guard !text.unicodeScalars.contains(where: { $0.value <= 0x20 || $0.value >= 0x7F }) else {
            throw RefusedURL("the gateway's URL holds blanks or characters outside ASCII")
        }
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://"),
            let scheme = Scheme(rawValue: text[..<colon].lowercased())
        else { throw RefusedURL("the gateway's URL has to start with https:// (or http:// on this host's loopback)") }
        let rest = text[colon...].dropFirst(3)
        // A secret in a URL ends up in histories and logs, and a query would be lost: neither is dropped silently.
        guard !rest.contains("?") else { throw RefusedURL("the gateway's URL must not hold a query ('?')") }
        guard !rest.contains("#") else { throw RefusedURL("the gateway's URL must not hold a fragment ('#')") }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let authority = rest[..<slash]
        guard !authority.contains("@") else {
            throw RefusedURL("the gateway's URL must not hold a user name or password ('@'): give the token by itself")
        }
        var prefix = rest[slash...]
        while prefix.hasSuffix("/") { prefix.removeLast() }
        let segments = prefix.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        guard segments.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && $0.utf8.allSatisfy(isPathByte) }) else {
            throw RefusedURL("the path of the gateway's URL may hold letters, digits, '.', '_', '~' and '-' only")
        }
        (host, port, namesPort) = try Self.hostAndPort(authority, scheme: scheme)
        self.scheme = scheme
        self.prefix = String(prefix)
    }

    /// Whether the host is an address that never leaves this computer: 127.0.0.0/8 or ::1, as a literal. A name such
    /// as `localhost` is not: whoever answers for the name decides where it leads.
    public var isLoopbackLiteral: Bool {
        if host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127"
            && parts.allSatisfy { UInt8($0) != nil && String(UInt8($0) ?? 0) == $0 }
    }

    /// The URL in its one normal form.
    public var description: String {
        let name = host.contains(":") ? "[\(host)]" : host
        let isDefault = port == (scheme == .https ? 443 : 80)
        return "\(scheme.rawValue)://\(name)\(isDefault ? "" : ":\(port)")\(prefix)"
    }

    private static func hostAndPort(
        _ authority: Substring, scheme: Scheme
    ) throws(RefusedURL) -> (host: String, port: Int, namesPort: Bool) {
        var host = authority
        var portText: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { throw RefusedURL("a '[' in the URL is never closed") }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let after = authority[authority.index(after: end)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw RefusedURL("the gateway's URL has no valid host") }
            portText = after.isEmpty ? nil : after.dropFirst()
            guard host.contains(":"), host.utf8.allSatisfy({ isHexadecimal($0) || ":.".utf8.contains($0) }) else {
                throw RefusedURL("the gateway's URL holds no valid IPv6 address")
            }
        } else {
            if let colon = authority.firstIndex(of: ":") {
                host = authority[..<colon]
                portText = authority[authority.index(after: colon)...]
            }
            guard let first = host.utf8.first, host.utf8.count <= 253, isAlphanumeric(first),
                host.utf8.allSatisfy({ isAlphanumeric($0) || ".-_".utf8.contains($0) })
            else { throw RefusedURL("the gateway's URL has no valid host") }
        }
        var port = scheme == .https ? 443 : 80
        if let portText {
            guard let number = Int(portText), (1...65_535).contains(number), portText.utf8.first != UInt8(ascii: "+")
            else {
                throw RefusedURL("the port of the gateway's URL is not a number from 1 to 65535")
            }
            port = number
        }
        return (host.lowercased(), port, portText != nil)
    }
}

/// Why an address is not taken, in words for a person.
public struct RefusedURL: Error, Hashable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

private func isHexadecimal(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
}

private func isAlphanumeric(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
}

private func isPathByte(_ byte: UInt8) -> Bool {
    isAlphanumeric(byte) || "._~-".utf8.contains(byte)
}
