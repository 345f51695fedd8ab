public import GateModel
public import GateStore

/// Reads the audit trail.
public struct AuditService: Sendable {
    private let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    /// Newest first, at most `limit` of the caller's tenant.
    public func events(
        action: String?, after: (at: Timestamp, id: ID<AuditEvent>)?, limit: Int, by caller: Caller
    ) async throws -> [StoredAuditEvent] {
        try caller.require(.auditRead)
        return try await dependencies.database.read { tx in
            try tx.auditEvents(in: caller.tenant, action: action, after: after, limit: limit)
        }
    }

    /// Committed events that aren't in this gateway's log file yet, oldest first.
    public func unexported(limit: Int) async throws -> [StoredAuditEvent] {
        let gateway = dependencies.identity.gateway
        return try await dependencies.database.read { tx in try tx.unexportedAuditEvents(on: gateway, limit: limit) }
    }

    public func markExported(_ events: [ID<AuditEvent>]) async throws {
        let now = dependencies.now()
        try await dependencies.database.write { tx in try tx.markExported(events, at: now) }
    }

    /// Writes one event that has no other fact beside it.
    public func append(
        _ action: String, subject: String, severity: AuditEvent.Severity, outcome: AuditEvent.Outcome,
        source: String = "", details: [(name: String, value: String)] = []
    ) async throws {
        let event = dependencies.ownEvent(
            action, subject: subject, severity: severity, outcome: outcome, source: source, at: dependencies.now(),
            details: details)
        try await dependencies.database.write { tx in try tx.appendAudit(event) }
    }
}
