import GateModel

/// The one address under which browsers sign in: cookies are named and marked by it, and changes must come from its pages.
public struct BrowserOrigin: Sendable, Hashable {
    /// `scheme://host[:port]`, as a browser writes it in `Origin` (RFC 6454, section 6.2).
    public let text: String
    public let isSecure: Bool
    /// Browsers send cookies to every port of a host: whoever serves another port of a loopback address gets them too.
    public let isLoopback: Bool
    public let host: String
    private let port: Substring

    /// From `http://HOST[:PORT]` or `https://HOST[:PORT]`.
    public init(url: String) {
        isSecure = url.hasPrefix("https://")
        let authority = url.drop { $0 != ":" }.dropFirst(3)
        let end = authority.hasPrefix("[") ? authority.firstIndex(of: "]") : nil
        let colon = authority[(end ?? authority.startIndex)...].lastIndex(of: ":")
        host = authority[..<(colon ?? authority.endIndex)].lowercased()
        port = colon.map { authority[$0...].dropFirst() } ?? (isSecure ? "443" : "80")
        let isStandard = port == (isSecure ? "443" : "80")
        text = "\(isSecure ? "https" : "http")://\(host)\(isStandard ? "" : ":\(port)")"
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        let isLiteral = parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
        isLoopback = isLiteral || host == "[::1]" || host == "localhost" || host.hasSuffix(".localhost")
    }

    /// Plain http beyond loopback: a cookie would be readable on the way, so there are no sessions.
    public var allowsSessions: Bool { isSecure || isLoopback }

    /// What comes before the path in `Host`.
    public var authority: Substring { text.drop { $0 != ":" }.dropFirst(3) }

    /// `__Host-` (RFC 6265bis): no other host of the domain can set it. Without TLS the port is in the name, so that two
    /// gateways on one host don't overwrite each other's.
    package var sessionCookie: String { isSecure ? "__Host-tidegate" : "tidegate-\(port)" }
    package var pendingCookie: String { isSecure ? "__Host-tidegate-code" : "tidegate-code-\(port)" }
    /// A sign-in that was begun with an outside provider.
    var begunCookie: String { isSecure ? "__Host-tidegate-oidc" : "tidegate-oidc-\(port)" }

    /// A `Set-Cookie` of this browser session, or for `lifetime`; out of scripts' reach, and not sent with requests that
    /// other sites cause, but for following a link.
    package func cookie(_ name: String, _ value: Secret<String>, lifetime: Duration? = nil) -> String {
        "\(name)=\(value.reveal()); Path=/; HttpOnly; SameSite=Lax\(isSecure ? "; Secure" : "")"
            + (lifetime.map { "; Max-Age=\($0.components.seconds)" } ?? "")
    }

    package func removal(_ name: String) -> String { cookie(name, Secret(""), lifetime: .zero) }
}
