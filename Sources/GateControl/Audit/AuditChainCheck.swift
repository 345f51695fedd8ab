public import GateModel

/// What a verification found, and what it could not prove; bounded, for a trail that was rewritten differs everywhere.
public struct AuditFindings: Sendable, Hashable {
    public static let limit = 100

    /// In an operator's words, in the order found.
    public private(set) var found: [String] = []
    /// How many there were beyond the limit.
    public private(set) var more = 0

    public init() {}

    public var isEmpty: Bool { found.isEmpty }

    public mutating func add(_ finding: String) {
        if found.count < Self.limit { found.append(finding) } else { more += 1 }
    }

    public var all: [String] { more == 0 ? found : found + ["and \(more) more"] }
}

/// Follows one copy of a gateway's chain, seal by seal.
public struct AuditChainCheck: Sendable {
    /// One line that a seal should cover.
    public struct Leaf: Sendable, Hashable {
        /// The sequence number it states; nil where it states none.
        public let sequence: Int64?
        public let hash: MerkleTree.Hash
        /// Where it stands: `audit.jsonl line 12`, `the store`.
        public let place: String

        public init(line: some Collection<UInt8>, place: String) {
            sequence = AuditLine.sequence(of: line)
            hash = MerkleTree.leaf(line)
            self.place = place
        }
    }

    /// Where the chain begins anew.
    public struct Restart: Sendable, Hashable {
        public let seal: Int64
        public let at: Timestamp
        public let reason: String
        /// The seal before it.
        public let previous: Int64
        /// The last event sealed before it, and the first after.
        public let after: Int64
        public let first: Int64
    }

    /// `the store`, `audit.jsonl`.
    public let copy: String
    public private(set) var head: AuditSeal?
    public private(set) var begins: AuditSeal?
    public private(set) var findings = AuditFindings()
    public private(set) var restarts: [Restart] = []
    public private(set) var events = 0
    public private(set) var seals = 0
    private var digest: [UInt8] = []

    public init(copy: String) { self.copy = copy }

    public mutating func add(_ finding: String) { findings.add(finding) }

    /// The next seal with the lines before it. Returns whether those are what was sealed.
    public mutating func take(_ seal: AuditSeal, leaves: [Leaf]) -> Bool {
        if !seal.isSigned { findings.add("\(copy): seal \(seal.number) was changed: its signature is wrong") }
        checkLink(seal)
        let isWhole = checkLeaves(seal, leaves)
        if begins == nil { begins = seal }
        head = seal
        digest = seal.digest
        seals += 1
        events += leaves.count
        return isWhole
    }

    private mutating func checkLink(_ seal: AuditSeal) {
        guard let head else { return }
        if seal.gateway != head.gateway { findings.add("\(copy): seal \(seal.number) is of another gateway") }
        if !seal.restart.isEmpty {
            restarts.append(
                Restart(
                    seal: seal.number, at: seal.at, reason: seal.restart, previous: head.number, after: head.last,
                    first: seal.first))
            if seal.number <= head.number {
                findings.add("\(copy): seal \(seal.number) comes after seal \(head.number)")
            }
            return
        }
        if seal.number == head.number &+ 1 {
            if seal.previous != digest {
                findings.add(
                    "\(copy): seal \(seal.number) follows another seal \(head.number) than the one that is there")
            }
            if seal.key != head.nextKey {
                findings.add("\(copy): seal \(seal.number) is signed with a key that seal \(head.number) doesn't name")
            }
            if seal.first != head.last &+ 1 {
                findings.add("\(copy): seal \(seal.number) begins at event \(seal.first), not \(head.last &+ 1)")
            }
        } else if seal.number > head.number &+ 1 {
            let missing = head.number &+ 2 == seal.number ? "seal" : "seals \(head.number &+ 1) to"
            findings.add(
                "\(copy): \(missing) \(seal.number &- 1) with events \(head.last &+ 1) to \(seal.first &- 1) are missing"
            )
        } else {
            findings.add("\(copy): seal \(seal.number) stands behind seal \(head.number)")
        }
    }

    private mutating func checkLeaves(_ seal: AuditSeal, _ leaves: [Leaf]) -> Bool {
        if MerkleTree.root(of: leaves.map(\.hash)) == seal.root, Int64(leaves.count) == seal.count { return true }
        let before = findings
        let covered = seal.first...max(seal.first, seal.last)
        let present = Set(leaves.compactMap(\.sequence))
        // Somebody who edits a seal may claim any range.
        if seal.count <= 100_000 {
            for sequence in covered where !present.contains(sequence) {
                findings.add("\(copy): event \(sequence) is missing (seal \(seal.number))")
            }
        }
        var last: Leaf?
        for leaf in leaves {
            guard let sequence = leaf.sequence else {
                findings.add("\(leaf.place) is no line of the trail (seal \(seal.number))")
                continue
            }
            if !covered.contains(sequence) {
                findings.add("\(leaf.place) holds event \(sequence), which seal \(seal.number) doesn't cover")
            } else if let last, let previous = last.sequence, sequence <= previous {
                findings.add(
                    sequence == previous
                        ? "\(leaf.place) holds event \(sequence) again"
                        : "\(last.place) and \(leaf.place) have changed places: event \(previous) before \(sequence)")
            }
            last = leaf
        }
        if findings == before {
            findings.add(
                "\(copy): of the events \(seal.first) to \(seal.last) (seal \(seal.number)) at least one was changed")
        }
        return false
    }
}
