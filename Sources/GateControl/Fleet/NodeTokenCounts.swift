import Synchronization

/// What became of node tokens, for the metrics.
public final class NodeTokenCounts: Sendable {
    public enum Outcome: String, Sendable, CaseIterable {
        case remembered, good, refused, unavailable, paced
    }

    private let counts = Mutex<[Outcome: UInt64]>([:])

    public init() {}

    func note(_ outcome: Outcome) { counts.withLock { $0[outcome, default: 0] += 1 } }

    /// Of every outcome, in a fixed order.
    public var all: [(outcome: Outcome, count: UInt64)] {
        counts.withLock { counts in Outcome.allCases.map { ($0, counts[$0] ?? 0) } }
    }
}
