public import GateModel

/// Reads the lines of `audit.jsonl`, and of those rotated away before it, and follows the chain in them.
public struct AuditLogCheck: Sendable {
    /// A seal and the lines before it.
    public struct Batch: Sendable {
        public let seal: AuditSeal
        public let leaves: [AuditChainCheck.Leaf]
        /// Whether they are what was sealed.
        public let isWhole: Bool
    }

    /// Longer lines are none of ours.
    public static let lineLimit = 1 << 20

    public private(set) var chain: AuditChainCheck
    private var pending: [AuditChainCheck.Leaf] = []
    private var isBroken = false

    public init(copy: String = "audit.jsonl") { chain = AuditChainCheck(copy: copy) }

    /// The next line, without its line break. `place`: `audit.jsonl line 12`. Returns a batch with each seal.
    public mutating func take(_ line: some Collection<UInt8>, at place: String) -> Batch? {
        guard AuditLine.isSeal(line) else {
            // A trail without seals must not become memory.
            if pending.count < 100_000 { pending.append(.init(line: line, place: place)) }
            return nil
        }
        guard let text = String(validating: line, as: UTF8.self), let seal = AuditLine.readSeal(text) else {
            chain.add("\(place): the seal there was changed")
            // Its lines can't be told from those of the next one, which covers its own only.
            isBroken = true
            return nil
        }
        var leaves = pending
        pending = []
        if isBroken {
            leaves.removeAll { ($0.sequence ?? seal.first) < seal.first }
            isBroken = false
        }
        let isWhole = chain.take(seal, leaves: leaves)
        return Batch(seal: seal, leaves: leaves, isWhole: isWhole)
    }

    /// Lines that no seal covers: the end is torn, or the seal behind them was cut off.
    public mutating func finish() {
        if let first = pending.first, let last = pending.last {
            let places = first == last ? "\(first.place) has" : "\(first.place) to \(last.place) have"
            chain.add("\(places) no seal behind: the end is torn or was cut")
        }
        pending = []
    }

    /// Whether lines wait for their seal: a gateway that is writing may not have come to it.
    public var isInsideBatch: Bool { !pending.isEmpty }
}
