public import GateModel
public import GateStore
import Synchronization

/// Uses of users' and services' tokens, counted by token and source. One row for each would bury everything else: an
/// event is written within a minute of the first use in an hour, and one with the number of the others at its end.
public final class UseLog: Sendable {
    /// What is counted apart. Ids alone: it is made for every request.
    private struct Subject: Hashable {
        let user: ID<User>
        let credential: UserCredential
        let source: String
    }

    private struct Uses {
        let caller: Caller
        /// Since the last event of it.
        var count = 0
    }

    private struct State {
        var hour: Int64 = 0
        var uses: [Subject: Uses] = [:]
        var written: Set<Subject> = []
        var dropped = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    /// `limit`: different ones that are kept in an hour; of more only the number is.
    public init(limit: Int = 2_048) { self.limit = limit }

    /// Machines aren't counted: each registration is an event, and a heartbeat says nothing new.
    func note(_ principal: Principal, source: String) {
        guard case .user(let user, let credential, _) = principal else { return }
        let subject = Subject(user: user.id, credential: credential, source: source)
        state.withLock { state in
            if (state.uses[subject]?.count += 1) != nil { return }
            if state.uses.count < limit {
                state.uses[subject] = Uses(caller: Caller(principal: principal, source: source), count: 1)
            } else {
                state.dropped += 1
            }
        }
    }

    /// Writes what is due. What can't be written is due again next time.
    public func flush(to database: any Database, identity: GatewayIdentity, at now: Timestamp) async throws {
        let hour = now.wholeSeconds / 3_600
        let (due, dropped, isNewHour) = state.withLock { state in
            let isNewHour = state.hour != hour
            let due = state.uses.filter { $0.value.count > 0 && (isNewHour || !state.written.contains($0.key)) }
            return (due, isNewHour ? state.dropped : 0, isNewHour)
        }
        if !due.isEmpty || dropped > 0 {
            try await database.write { tx in
                for uses in due.values {
                    let caller = uses.caller
                    try tx.appendAudit(
                        AuditEvent(
                            id: .ordered(at: now), tenant: caller.tenant, gateway: identity.gateway, at: now,
                            action: .accessUsed, actor: caller.principal.text, credential: caller.credential,
                            source: caller.source, subject: caller.credential,
                            details: [("count", String(uses.count))]))
                }
                if dropped > 0 {
                    try tx.appendAudit(
                        AuditEvent(
                            id: .ordered(at: now), tenant: identity.tenant, gateway: identity.gateway, at: now,
                            action: .accessUsesDropped, severity: .warning, actor: "gateway", subject: "many",
                            details: [("count", String(dropped))]))
                }
            }
        }
        state.withLock { state in
            for (subject, uses) in due { state.uses[subject]?.count -= uses.count }
            state.dropped -= dropped
            if isNewHour {
                // Uses that came meanwhile belong to the new hour already.
                state.hour = hour
                state.uses = state.uses.filter { $0.value.count > 0 }
                state.written = []
            } else {
                state.written.formUnion(due.keys)
            }
        }
    }
}
