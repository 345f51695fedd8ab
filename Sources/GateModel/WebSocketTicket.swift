/// The right to open one WebSocket, once and within seconds: what a browser can carry where it can't set headers.
public struct WebSocketTicket: Sendable, Hashable {
    /// Where a ticket opens; the raw value is the path in the current version of the API.
    public enum Endpoint: String, Sendable, CaseIterable {
        case auditStream = "/api/v1/audit/stream"
    }

    public static let lifetime = Duration.seconds(30)

    public var tenant: ID<Tenant>
    /// `Principal.text` of whoever asked for it.
    public var principal: String
    /// The token it was asked for with; nil for the operator on the gateway's host.
    public var token: ID<AccessToken>?
    /// The login session it was asked for in; nil without one.
    public var session: ID<Session>?
    public var endpoint: Endpoint
    /// Its last good moment.
    public var expiresAt: Timestamp

    public init(
        tenant: ID<Tenant>, principal: String, token: ID<AccessToken>?, session: ID<Session>? = nil,
        endpoint: Endpoint, expiresAt: Timestamp
    ) {
        self.tenant = tenant
        self.principal = principal
        self.token = token
        self.session = session
        self.endpoint = endpoint
        self.expiresAt = expiresAt
    }
}
