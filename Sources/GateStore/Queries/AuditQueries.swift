public import GateModel

/// An audit event as stored: its details are one JSON object of strings.
public struct StoredAuditEvent: Sendable, Hashable {
    public var event: AuditEvent
    public var detailsJSON: String

    public init(event: AuditEvent, detailsJSON: String) {
        self.event = event
        self.detailsJSON = detailsJSON
    }
}

extension Transaction {
    /// Writes the event in the transaction of the fact it tells of.
    public func appendAudit(_ event: AuditEvent) throws(StoreError) {
        try execute(
            """
            INSERT INTO audit_event (id, tenant_id, gateway_id, at, action, severity, outcome, actor, credential, source,
                subject, details)
            VALUES (\(event.id), \(event.tenant), \(event.gateway), \(event.at), \(event.action),
                \(event.severity.rawValue), \(event.outcome.rawValue), \(event.actor), \(event.credential),
                \(event.source), \(event.subject), \(jsonObject(event.details)))
            """)
    }

    /// Newest first; `after` is the last event of the page before.
    public func auditEvents(
        in tenant: ID<Tenant>, action: String?, after: (at: Timestamp, id: ID<AuditEvent>)?, limit: Int
    ) throws(StoreError) -> [StoredAuditEvent] {
        var condition: SQL = "tenant_id = \(tenant)"
        if let action { condition = "\(condition) AND action = \(action)" }
        if let after { condition = "\(condition) AND (at, id) < (\(after.at), \(after.id))" }
        return try rows(
            "SELECT \(columns) FROM audit_event WHERE \(condition) ORDER BY at DESC, id DESC LIMIT \(limit)"
        ).map { row throws(StoreError) in try StoredAuditEvent(row: row) }
    }

    /// Oldest first, from the one behind `since`.
    public func auditEvents(
        in tenant: ID<Tenant>, since: (at: Timestamp, id: ID<AuditEvent>), limit: Int
    ) throws(StoreError) -> [StoredAuditEvent] {
        try rows(
            """
            SELECT \(columns) FROM audit_event WHERE tenant_id = \(tenant) AND (at, id) > (\(since.at), \(since.id))
            ORDER BY at, id LIMIT \(limit)
            """
        ).map { row throws(StoreError) in try StoredAuditEvent(row: row) }
    }

    /// Committed events of this gateway that aren't in its log file yet, oldest first.
    public func unexportedAuditEvents(on gateway: ID<Gateway>, limit: Int) throws(StoreError) -> [StoredAuditEvent] {
        try rows(
            """
            SELECT \(columns) FROM audit_event WHERE gateway_id = \(gateway) AND exported_at IS NULL
            ORDER BY at, id LIMIT \(limit)
            """
        ).map { row throws(StoreError) in try StoredAuditEvent(row: row) }
    }

    public func markExported(_ events: [ID<AuditEvent>], at now: Timestamp) throws(StoreError) {
        guard !events.isEmpty else { return }
        try execute("UPDATE audit_event SET exported_at = \(now) WHERE id IN \(SQL.list(events))")
    }
}

private let columns: SQL =
    "id, tenant_id, gateway_id, at, action, severity, outcome, actor, credential, source, subject, details"

extension StoredAuditEvent {
    fileprivate init(row: SQLRow) throws(StoreError) {
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
                action: try row.text("action"), severity: severity, outcome: outcome, actor: try row.text("actor"),
                credential: try row.text("credential"), source: try row.text("source"),
                subject: try row.text("subject")),
            detailsJSON: try row.text("details"))
    }
}

/// A flat JSON object of strings (RFC 8259), names in the order given.
private func jsonObject(_ members: [(name: String, value: String)]) -> String {
    "{" + members.map { "\(jsonString($0.name)):\(jsonString($0.value))" }.joined(separator: ",") + "}"
}

private func jsonString(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": quoted += "\\\""
        case "\\": quoted += "\\\\"
        case _ where isUnprintable(scalar) && scalar.value < 0x10000:
            let hex = String(scalar.value, radix: 16)
            quoted += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        default: quoted.unicodeScalars.append(scalar)
        }
    }
    return quoted + "\""
}
