public import GateModel

/// What a call of the gateway is for; it decides how much the other end may cost us.
public enum OutboundPurpose: String, Sendable, CaseIterable {
    case fleet
    case openIDDiscovery = "oidc-discovery"
    case openIDToken = "oidc-token"
    case keySet = "jwks"
    case webhook

    /// Bounds of one call, and of all calls of a purpose at a time.
    public struct Limits: Sendable, Hashable {
        /// From the call to the answer's last byte, waiting for a place and resolving the name included.
        public let time: Duration
        public let requestBytes: Int
        public let responseBytes: Int
        /// Calls under way.
        public let concurrent: Int
        /// Calls that wait for a place; one more is refused.
        public let waiting: Int

        package init(time: Duration, requestBytes: Int, responseBytes: Int, concurrent: Int, waiting: Int) {
            self.time = time
            self.requestBytes = requestBytes
            self.responseBytes = responseBytes
            self.concurrent = concurrent
            self.waiting = waiting
        }
    }

    public var limits: Limits {
        switch self {
        case .fleet:
            Limits(time: .seconds(5), requestBytes: 4_096, responseBytes: 65_536, concurrent: 32, waiting: 256)
        case .openIDDiscovery, .keySet:
            Limits(time: .seconds(10), requestBytes: 0, responseBytes: 262_144, concurrent: 4, waiting: 16)
        case .openIDToken:
            Limits(time: .seconds(10), requestBytes: 16_384, responseBytes: 262_144, concurrent: 16, waiting: 64)
        case .webhook:
            Limits(time: .seconds(10), requestBytes: 262_144, responseBytes: 65_536, concurrent: 16, waiting: 64)
        }
    }
}

/// One call. Printing it shows its purpose and origin only: path, headers and body may hold secrets.
public struct OutboundRequest: Sendable, CustomStringConvertible, CustomReflectable {
    public enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
    }

    public let purpose: OutboundPurpose
    public let method: Method
    public let url: OutboundURL
    /// Beside those the client sets itself: Host, Content-Length, User-Agent and what concerns the connection.
    public let headers: [(name: String, value: String)]
    public let body: Secret<[UInt8]>?

    public init(
        _ purpose: OutboundPurpose, _ method: Method, _ url: OutboundURL,
        headers: [(name: String, value: String)] = [], body: [UInt8]? = nil
    ) {
        self.purpose = purpose
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body.map { Secret($0) }
    }

    public var description: String { "\(purpose.rawValue) \(method.rawValue) \(url.origin)" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// An answer whose status is not a redirect; whether it is a good one is the caller's to say.
public struct OutboundResponse: Sendable {
    public let status: Int
    public let headers: [(name: String, value: String)]
    public let body: [UInt8]

    public init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The first value of that header; names are compared without case (RFC 9110, section 5.1).
    public func header(_ name: String) -> String? {
        let name = name.lowercased()
        return headers.first { $0.name.lowercased() == name }?.value
    }
}

/// Makes calls to others on the gateway's behalf, guarded: see `GateOutbound`.
public protocol OutboundSender: Sendable {
    func send(_ request: OutboundRequest) async throws(OutboundError) -> OutboundResponse
}
