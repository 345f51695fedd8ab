import GateModel

extension ControlDependencies {
    /// An event with this gateway's name and time in it, for `Transaction.appendAudit`.
    func event(
        _ action: String, by caller: Caller, subject: String, severity: AuditEvent.Severity = .info,
        outcome: AuditEvent.Outcome = .success, at now: Timestamp, details: [(name: String, value: String)] = []
    ) -> AuditEvent {
        AuditEvent(
            id: .ordered(at: now), tenant: caller.tenant, gateway: identity.gateway, at: now, action: action,
            severity: severity, outcome: outcome, actor: caller.principal.text, credential: caller.credential,
            source: caller.source, subject: subject, details: details)
    }

    /// The same for what the gateway does by itself.
    func ownEvent(
        _ action: String, tenant: ID<Tenant>? = nil, subject: String, severity: AuditEvent.Severity = .info,
        outcome: AuditEvent.Outcome = .success, source: String = "", at now: Timestamp,
        details: [(name: String, value: String)] = []
    ) -> AuditEvent {
        AuditEvent(
            id: .ordered(at: now), tenant: tenant ?? identity.tenant, gateway: identity.gateway, at: now,
            action: action,
            severity: severity, outcome: outcome, actor: "gateway", source: source, subject: subject, details: details)
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
