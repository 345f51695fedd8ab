public import GateModel
public import GateStore
import Synchronization

/// Uses of users' and services' tokens, counted by token and source. One row for each would bury everything else: an
/// event is written within a minute of the first use in an hour, and one with the number of the others at its end.
public final class UseLog: Sendable {
    private struct Subject: Hashable {
        let tenant: ID<Tenant>
        let actor: String
        let credential: String
        let source: String
    }

    private struct State {
        var hour: Int64 = 0
        /// Uses since the last event of each.
        var counts: [Subject: Int] = [:]
        var written: Set<Subject> = []
        var dropped = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    /// `limit`: different ones that are kept in an hour; of more only the number is.
    public init(limit: Int = 2_048) { self.limit = limit }

    /// Machines aren't counted: each registration is an event, and a heartbeat says nothing new.
    func note(_ principal: Principal, source: String) {
        guard principal.user != nil else { return }
        let caller = Caller(principal: principal, source: source)
        let subject = Subject(
            tenant: caller.tenant, actor: principal.text, credential: caller.credential, source: source)
        state.withLock { state in
            if state.counts[subject] != nil || state.counts.count < limit {
                state.counts[subject, default: 0] += 1
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
            let due = state.counts.filter { $0.value > 0 && (isNewHour || !state.written.contains($0.key)) }
            return (due, isNewHour ? state.dropped : 0, isNewHour)
        }
        if !due.isEmpty || dropped > 0 {
            try await database.write { tx in
                for (subject, count) in due {
                    try tx.appendAudit(
                        AuditEvent(
                            id: .ordered(at: now), tenant: subject.tenant, gateway: identity.gateway, at: now,
                            action: .accessUsed, actor: subject.actor, credential: subject.credential,
                            source: subject.source, subject: subject.credential, details: [("count", String(count))]))
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
            for (subject, count) in due { state.counts[subject, default: 0] -= count }
            state.dropped -= dropped
            if isNewHour {
                // Uses that came meanwhile belong to the new hour already.
                state.hour = hour
                state.counts = state.counts.filter { $0.value > 0 }
                state.written = []
            } else {
                state.written.formUnion(due.keys)
            }
        }
    }
}
