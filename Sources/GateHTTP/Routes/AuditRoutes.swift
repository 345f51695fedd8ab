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
            try request.requireKnownQuery(["action", "severity", "since", "until", "after", "limit"])
            let page = try Page<AuditEvent>(request)
            let events = try await services.audit.events(
                AuditFilter(request), after: page.after, limit: page.limit, by: context.caller)
            return JSONAnswer(
                .ok, events.map { AuditEventBody($0) },
                link: page.link(request, count: events.count, last: events.last.map { ($0.event.at, $0.event.id) }))
        }
    }
}

extension AuditFilter {
    init(_ request: Request) throws {
        let query = request.uri.queryParameters
        self.init()
        action = query["action"].map(String.init)
        if let text = query["severity"] {
            guard let severity = AuditEvent.Severity(rawValue: String(text)) else {
                throw Field.invalid("severity", "info, warning, error or critical")
            }
            self.severity = severity
        }
        since = try Self.moment(query["since"], "since")
        until = try Self.moment(query["until"], "until")
    }

    private static func moment(_ text: Substring?, _ field: String) throws -> Timestamp? {
        guard let text else { return nil }
        guard let moment = Timestamp(moment: text) else { throw Field.invalid(field, Timestamp.momentRule) }
        return moment
    }
}

extension AuditEventBody {
    /// The same shape in answers and in the log file.
    public init(_ stored: StoredAuditEvent) {
        let event = stored.event
        let details = try? JSONDecoder().decode([String: String].self, from: Data(stored.detailsJSON.utf8))
        self.init(
            id: event.id.text, sequence: stored.sequence, at: event.at, action: event.action,
            severity: event.severity.rawValue,
            outcome: event.outcome.rawValue, actor: event.actor, credential: event.credential, source: event.source,
            subject: event.subject, details: details ?? [:])
    }
}
