import GateWebSocket
import GateWire
import HTTPTypes
import Hummingbird

/// What an upgrade request brings: a handshake, and a ticket among its subprotocols. Read from the headers alone.
struct StreamOffer {
    let handshake: WebSocketHandshake
    let ticket: String

    /// `origin` is the only page that may open a WebSocket here. A browser always names its page; a program names none.
    init(_ request: Request, origin: String) throws {
        do { handshake = try WebSocketHandshake(request.head) } catch {
            switch error {
            case .notAnUpgrade:
                throw Problem(.upgradeRequired, "Ask for a WebSocket here (RFC 6455), version 13.")
            case .malformed:
                throw Problem(.malformedRequest, "The headers of the WebSocket handshake are wrong.")
            }
        }
        // A page of somebody else's would come with the user's own cookies and address.
        let origins = request.headers[values: .origin]
        guard origins.isEmpty || origins == [origin] else {
            throw Problem(.originRefused, "WebSockets are opened from the gateway's own pages alone.")
        }
        let tickets = handshake.subprotocols.filter { $0.hasPrefix(StreamProtocol.ticketPrefix) }
        guard handshake.subprotocols.count(where: { $0 == StreamProtocol.name }) == 1, tickets.count < 2 else {
            throw Problem(
                .malformedRequest,
                "Offer the subprotocol \(StreamProtocol.name) and one \(StreamProtocol.ticketPrefix)TICKET.")
        }
        guard let ticket = tickets.first else {
            throw Problem(
                .unauthenticated, "A WebSocket is opened by a ticket, in a subprotocol \(StreamProtocol.ticketPrefix)…."
            )
        }
        self.ticket = String(ticket.dropFirst(StreamProtocol.ticketPrefix.count))
    }
}
