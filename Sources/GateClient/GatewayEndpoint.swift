import GateModel

/// Where a client may speak to a gateway: https anywhere, plain http on this host's loopback only, or a Unix socket.
public struct GatewayEndpoint: Sendable, Hashable, CustomStringConvertible {
    /// What the bytes go through.
    public enum Transport: Sendable, Hashable {
        /// A TCP connection.
        case url(GatewayURL)
        /// A Unix socket of this host: `admin.sock`, or the near end of an ssh connection. With `url`, the scheme and
        /// the prefix of what stands at the far end; its host and port are not used.
        case unixSocket(path: String, url: GatewayURL?)
    }

    public let transport: Transport

    /// Reads and checks a URL; throws words for a person.
    public init(_ text: String) throws(RefusedURL) {
        try self.init(GatewayURL(text))
    }

    /// Checks a URL; plain http is refused unless it cannot leave this host, because a bearer token goes with it.
    public init(_ url: GatewayURL) throws(RefusedURL) {
        guard url.scheme == .https || url.isLoopbackLiteral else {
            throw RefusedURL(
                url.host == "localhost"
                    ? "http://localhost is refused, a name may lead anywhere: write http://127.0.0.1:\(url.port)"
                    : "\(url) would send the token readable over the network: use https://, or http:// to 127.0.0.1 only"
            )
        }
        transport = .url(url)
    }

    private init(transport: Transport) { self.transport = transport }

    /// A Unix socket at an absolute path.
    public static func unixSocket(_ path: String, standingFor url: GatewayURL? = nil) -> Self {
        Self(transport: .unixSocket(path: path, url: url))
    }

    /// The address as a person would write it.
    public var description: String {
        switch transport {
        case .url(let url): url.description
        case .unixSocket(let path, _): "unix:\(path)"
        }
    }

    /// Whether the far end has to show a certificate.
    public var usesTLS: Bool {
        switch transport {
        case .url(let url): url.scheme == .https
        case .unixSocket(_, let url): url?.scheme == .https
        }
    }

    /// What a request's path is appended to, as AsyncHTTPClient wants it: a socket's path is the URL's host.
    var base: String {
        switch transport {
        case .url(let url): url.description
        case .unixSocket(let path, let url):
            "\(usesTLS ? "https" : "http")+unix://\(percentEncoded(path))\(url?.prefix ?? "")"
        }
    }
}
