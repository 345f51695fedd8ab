public import GateModel
import GateStore
import Logging

extension ControlDependencies {
    /// An event with this gateway's name and time in it, for `Transaction.appendAudit`.
    func event(
        _ action: AuditAction, by caller: Caller, subject: String, severity: AuditEvent.Severity = .info,
        outcome: AuditEvent.Outcome = .success, at now: Timestamp, details: [(name: String, value: String)] = []
    ) -> AuditEvent {
        AuditEvent(
            id: .ordered(at: now), tenant: caller.tenant, gateway: identity.gateway, at: now, action: action,
            severity: severity, outcome: outcome, actor: caller.principal.text, credential: caller.credential,
            source: caller.source, subject: subject, details: details)
    }

    /// The same for what the gateway does by itself.
    func ownEvent(
        _ action: AuditAction, tenant: ID<Tenant>? = nil, subject: String, severity: AuditEvent.Severity = .info,
        outcome: AuditEvent.Outcome = .success, source: String = "", at now: Timestamp,
        details: [(name: String, value: String)] = []
    ) -> AuditEvent {
        AuditEvent(
            id: .ordered(at: now), tenant: tenant ?? identity.tenant, gateway: identity.gateway, at: now,
            action: action,
            severity: severity, outcome: outcome, actor: "gateway", source: source, subject: subject, details: details)
    }

    /// Writes an event that has no other fact beside it: a sign-in, a refusal, something found. That it can't be written is
    /// warned of and counted, and fails nothing, unless the operator asked for that (`--audit required`).
    public func record(_ event: AuditEvent) async throws {
        do {
            try await database.write { tx in try tx.appendAudit(event) }
            auditing.health.succeeded(.store)
        } catch {
            if auditing.health.failed(.store, "\(error)") {
                logger.warning(
                    "an audit event could not be stored",
                    metadata: ["gate.action": "\(event.action)", "error": "\(error)"])
            }
            if auditing.isRequired { throw error }
        }
    }

    /// Drops what the caches knew of these keys and machines, then ends the connections they hold. Call it after the
    /// commit, and also when the outcome of a commit is unknown: dropping too much costs one read.
    func cut(
        keys fingerprints: [String] = [], machines: [ID<Machine>] = [], agentKeys: [ID<AgentKey>] = []
    ) async {
        let processes = keys.revoke(fingerprints: fingerprints, machines: machines, agentKeys: agentKeys)
        await effects.keysChanged()
        guard !processes.isEmpty else { return }
        await effects.end(processes)
    }
}
