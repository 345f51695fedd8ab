import Synchronization

/// How writing the trail down is going, for `/readyz` and metrics. A failure shows until the same part succeeds.
public final class AuditHealth: Sendable {
    public enum Part: String, CaseIterable, Sendable {
        /// Events that stand alone, such as a sign-in.
        case store
        case seal, log, syslog, webhook

        var words: String {
            switch self {
            case .store: "audit events can't be stored"
            case .seal: "the audit trail can't be sealed"
            case .log: "the audit log can't be written"
            case .syslog: "the audit trail can't be sent to syslog"
            case .webhook: "the audit trail can't be sent to its webhook"
            }
        }
    }

    private struct State {
        var failing: [Part: String] = [:]
        var failures: [Part: UInt64] = [:]
        var waiting: [Part: Int64] = [:]
    }

    private let state = Mutex(State())

    public init() {}

    /// Returns whether it is the first failure since it last went well: the one to log.
    @discardableResult
    public func failed(_ part: Part, _ reason: String) -> Bool {
        state.withLock { state in
            state.failures[part, default: 0] += 1
            defer { state.failing[part] = reason }
            return state.failing[part] == nil
        }
    }

    /// Returns whether it had been failing.
    @discardableResult
    public func succeeded(_ part: Part) -> Bool { state.withLock { $0.failing.removeValue(forKey: part) != nil } }

    /// Events that a part hasn't got yet.
    public func waiting(_ part: Part, _ count: Int64) { state.withLock { $0.waiting[part] = count } }

    /// What is failing now, in words for an operator.
    public var faults: [String] {
        state.withLock { state in
            Part.allCases.compactMap { part in state.failing[part].map { "\(part.words): \($0)" } }
        }
    }

    public var failures: UInt64 { state.withLock { $0.failures.values.reduce(0, +) } }

    public func waiting(_ part: Part) -> Int64? { state.withLock { $0.waiting[part] } }
}

/// What happens when an event can't be written down that has no other fact beside it. (Facts and their events are always
/// committed together.)
public struct Auditing: Sendable {
    /// True: what the event tells of is refused then (`--audit required`).
    public let isRequired: Bool
    public let health: AuditHealth

    public init(isRequired: Bool = false, health: AuditHealth = AuditHealth()) {
        self.isRequired = isRequired
        self.health = health
    }
}
