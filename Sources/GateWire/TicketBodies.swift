/// `POST /api/v1/auth/ws-ticket`.
public struct TicketRequest: Codable, WireRequest {
    /// The path of the WebSocket, `/api/v1/audit/stream`.
    public var endpoint: String

    public init(endpoint: String) { self.endpoint = endpoint }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable { case endpoint }
}

/// A ticket, shown this once.
public struct TicketBody: Codable, Sendable, Equatable {
    /// `tgw_…`; offered as the subprotocol `tidegate.ticket.TICKET`.
    public var ticket: String
    public var endpoint: String
    /// Seconds.
    public var ttlSeconds: Int

    public init(ticket: String, endpoint: String, ttlSeconds: Int) {
        self.ticket = ticket
        self.endpoint = endpoint
        self.ttlSeconds = ttlSeconds
    }

    enum CodingKeys: String, CodingKey {
        case ticket, endpoint
        case ttlSeconds = "ttl_seconds"
    }
}

/// Names that a WebSocket's two ends agree on (RFC 6455, 1.9).
public enum StreamProtocol {
    /// The one that is spoken, and the only one an answer names.
    public static let name = "tidegate.v1"
    /// Before a ticket. It travels as a subprotocol, since a browser can set no header, and a query would be logged on its way.
    public static let ticketPrefix = "tidegate.ticket."
}
