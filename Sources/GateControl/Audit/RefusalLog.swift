public import GateModel
import GateStore
import Synchronization

/// Refusals, counted per source, kind, reason and minute and written in bulk. One durable row for each would let a
/// stranger fill the disk and spend our syncs; past `limit` different ones a minute only their number is kept.
public final class RefusalLog: Sendable {
    public struct Subject: Hashable, Sendable {
        public let kind: String
        public let reason: String
        public let source: String
        /// The id of a credential that was once good, else empty.
        public let credential: String

        public init(kind: String, reason: String, source: String, credential: String) {
            self.kind = kind
            self.reason = reason
            self.source = source
            self.credential = credential
        }
    }

    private struct State {
        var counts: [Subject: Int] = [:]
        var dropped = 0
        var total: UInt64 = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    public init(limit: Int = 2_048) { self.limit = limit }

    public func note(_ subject: Subject) {
        state.withLock { state in
            state.total += 1
            if state.counts[subject] != nil || state.counts.count < limit {
                state.counts[subject, default: 0] += 1
            } else {
                state.dropped += 1
            }
        }
    }

    /// Refusals since start, for metrics.
    public var total: UInt64 { state.withLock { $0.total } }

    /// Writes one event per subject and starts a new minute. On failure the counts are lost but for their number.
    public func flush(to database: any Database, identity: GatewayIdentity, at now: Timestamp) async throws {
        let (counts, dropped) = state.withLock { state in
            let taken = (state.counts, state.dropped)
            state.counts = [:]
            state.dropped = 0
            return taken
        }
        guard !counts.isEmpty || dropped > 0 else { return }
        do {
            try await database.write { tx in
                for (subject, count) in counts {
                    try tx.appendAudit(
                        AuditEvent(
                            id: .ordered(at: now), tenant: identity.tenant, gateway: identity.gateway, at: now,
                            action: subject.action, severity: .warning, outcome: .refused, actor: "stranger",
                            credential: subject.credential, source: subject.source, subject: subject.kind,
                            details: [("reason", subject.reason), ("count", String(count))]))
                }
                if dropped > 0 {
                    try tx.appendAudit(
                        AuditEvent(
                            id: .ordered(at: now), tenant: identity.tenant, gateway: identity.gateway, at: now,
                            action: .accessRefusalsDropped, severity: .warning, outcome: .refused,
                            actor: "stranger", subject: "many", details: [("count", String(dropped))]))
                }
            }
        } catch {
            state.withLock { $0.dropped += dropped + counts.values.reduce(0, +) }
            throw error
        }
    }
}

extension RefusalLog.Subject {
    /// What people are refused has names of its own.
    fileprivate var action: AuditAction {
        switch kind {
        case "password", "oidc", "cloudflare-access": .loginFailed
        case "second-factor": .totpFailed
        case "session": .sessionRefused
        case "rate": .accessRateLimited
        case "ticket": .ticketRefused
        default: .accessRefused
        }
    }
}
