import GateControl
import GateModel
import GateWebSocket
import GateWire
import HTTPTypes
import Hummingbird

/// Tickets, and the WebSockets they open.
struct StreamRoutes {
    let services: GateServices
    let root: String

    func add(to book: RouteBook) {
        let services = services
        let door = StreamDoor(tickets: services.tickets, origin: services.browser.text)
        book.person(.auditRead, .post, "\(root)/auth/ws-ticket") { request, context in
            let body = try await request.decode(TicketRequest.self)
            guard let endpoint = WebSocketTicket.Endpoint(rawValue: body.endpoint) else {
                throw Field.invalid(
                    "endpoint", WebSocketTicket.Endpoint.allCases.map(\.rawValue).joined(separator: " or "))
            }
            let text = try await services.tickets.mint(for: endpoint, by: context.caller)
            return JSONAnswer(
                .created,
                TicketBody(
                    ticket: text.reveal(), endpoint: endpoint.rawValue,
                    ttlSeconds: Int(WebSocketTicket.lifetime.components.seconds)))
        }
        book.open(.get, "\(root)/audit/stream", access: .ticket) { request, context in
            try request.requireKnownQuery(["after"])
            let after = try Page<AuditEvent>(request).after
            return try await door.open(request, context, at: .auditStream) { sender, principal in
                try await services.following.run(after: after, by: principal) { event in
                    try await sender.send(.text(String(decoding: encodeJSON(AuditEventBody(event)), as: UTF8.self)))
                }
            }
        }
    }
}
