import FoundationEssentials
import GateControl
import GateModel
import GateStore
import GateWire
import HTTPTypes
import Hummingbird

/// Reads the audit trail.
struct AuditRoutes {
    let services: GateServices
    let root: String

    func add(to book: RouteBook) {
        let services = services
        book.scoped(.auditRead, .get, "\(root)/audit/events") { request, context in
            try request.requireKnownQuery(["action", "after", "limit"])
            let page = try Page<AuditEvent>(request)
            let events = try await services.audit.events(
                action: request.uri.queryParameters["action"].map(String.init), after: page.after, limit: page.limit,
                by: context.caller)
            return JSONAnswer(
                .ok, events.map { AuditEventBody($0) },
                link: page.link(request, count: events.count, last: events.last.map { ($0.event.at, $0.event.id) }))
        }
    }
}

extension AuditEventBody {
    /// The same shape in answers and in the log file.
    public init(_ stored: StoredAuditEvent) {
        let event = stored.event
        let details = try? JSONDecoder().decode([String: String].self, from: Data(stored.detailsJSON.utf8))
        self.init(
            id: event.id.text, at: event.at, action: event.action, severity: event.severity.rawValue,
            outcome: event.outcome.rawValue, actor: event.actor, credential: event.credential, source: event.source,
            subject: event.subject, details: details ?? [:])
    }
}
