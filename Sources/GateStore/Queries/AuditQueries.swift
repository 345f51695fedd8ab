public import GateModel

/// An audit event as stored: its details are one JSON object of strings.
public struct StoredAuditEvent: Sendable, Hashable {
    public var event: AuditEvent
    public var detailsJSON: String
    /// Its place in the gateway's chain; nil until it is sealed.
    public var sequence: Int64?

    public init(event: AuditEvent, detailsJSON: String, sequence: Int64? = nil) {
        self.event = event
        self.detailsJSON = detailsJSON
        self.sequence = sequence
    }
}

/// Which events are asked for.
public struct AuditFilter: Sendable, Hashable {
    public var action: String?
    /// This severity and what is worse.
    public var severity: AuditEvent.Severity?
    /// At this moment or later.
    public var since: Timestamp?
    /// Earlier than this moment.
    public var until: Timestamp?

    public init(
        action: String? = nil, severity: AuditEvent.Severity? = nil, since: Timestamp? = nil, until: Timestamp? = nil
    ) {
        self.action = action
        self.severity = severity
        self.since = since
        self.until = until
    }
}

extension Transaction {
    /// Writes the event in the transaction of the fact it tells of. Secrets in it are taken out before the store sees them.
    public func appendAudit(_ event: AuditEvent) throws(StoreError) {
        let event = event.redacted
        let details = JSONTree.members(event.details.map { .init($0.name, .text($0.value)) }).line
        try execute(
            """
            INSERT INTO audit_event (id, tenant_id, gateway_id, at, action, severity, outcome, actor, credential, source,
                subject, details)
            VALUES (\(event.id), \(event.tenant), \(event.gateway), \(event.at), \(event.action),
                \(event.severity.rawValue), \(event.outcome.rawValue), \(event.actor), \(event.credential),
                \(event.source), \(event.subject), \(details))
            """)
    }

    /// Newest first; `after` is the last event of the page before.
    public func auditEvents(
        in tenant: ID<Tenant>, _ filter: AuditFilter, after: (at: Timestamp, id: ID<AuditEvent>)?, limit: Int
    ) throws(StoreError) -> [StoredAuditEvent] {
        var condition: SQL = "tenant_id = \(tenant)"
        if let action = filter.action { condition = "\(condition) AND action = \(action)" }
        switch filter.severity {
        case nil, .info: break
        // The first part is the condition of an index, which an engine recognises by its literal text alone.
        case .warning: condition = "\(condition) AND severity <> 'info'"
        case .error: condition = "\(condition) AND severity <> 'info' AND severity IN ('error', 'critical')"
        case .critical: condition = "\(condition) AND severity <> 'info' AND severity = 'critical'"
        }
        if let since = filter.since { condition = "\(condition) AND at >= \(since)" }
        if let until = filter.until { condition = "\(condition) AND at < \(until)" }
        if let after { condition = "\(condition) AND (at, id) < (\(after.at), \(after.id))" }
        return try rows(
            "SELECT \(auditColumns) FROM audit_event WHERE \(condition) ORDER BY at DESC, id DESC LIMIT \(limit)"
        ).map { row throws(StoreError) in try StoredAuditEvent(row: row) }
    }

    /// Oldest first, from the one behind `since`.
    public func auditEvents(
        in tenant: ID<Tenant>, since: (at: Timestamp, id: ID<AuditEvent>), limit: Int
    ) throws(StoreError) -> [StoredAuditEvent] {
        try rows(
            """
            SELECT \(auditColumns) FROM audit_event WHERE tenant_id = \(tenant) AND (at, id) > (\(since.at), \(since.id))
            ORDER BY at, id LIMIT \(limit)
            """
        ).map { row throws(StoreError) in try StoredAuditEvent(row: row) }
    }
}

let auditColumns: SQL =
    "id, tenant_id, gateway_id, at, action, severity, outcome, actor, credential, source, subject, details, sequence"

extension StoredAuditEvent {
    init(row: SQLRow) throws(StoreError) {
        guard let severity = AuditEvent.Severity(rawValue: try row.text("severity")) else {
            throw .corruptRow(column: "severity")
        }
        guard let outcome = AuditEvent.Outcome(rawValue: try row.text("outcome")) else {
            throw .corruptRow(column: "outcome")
        }
        self.init(
            event: AuditEvent(
                id: try row.id("id", of: AuditEvent.self), tenant: try row.id("tenant_id", of: Tenant.self),
                gateway: try row.id("gateway_id", of: Gateway.self), at: try row.timestamp("at"),
                storedAction: try row.text("action"), severity: severity, outcome: outcome,
                actor: try row.text("actor"), credential: try row.text("credential"), source: try row.text("source"),
                subject: try row.text("subject")),
            detailsJSON: try row.text("details"), sequence: try row.optionalInteger("sequence"))
    }
}
