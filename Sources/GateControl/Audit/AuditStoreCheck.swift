package import GateModel
package import GateStore

/// Follows the chain in the store, and says of a batch of the log file which of the two was changed.
package struct AuditStoreCheck {
    private static let page = 256

    let tx: any Transaction
    let gateway: ID<Gateway>
    let anchors: [AuditAnchor]
    package private(set) var chain = AuditChainCheck(copy: "the store")
    /// For each anchor whose event ends a seal: whether it is that seal.
    package private(set) var anchored: [AuditAnchor: Bool] = [:]
    package private(set) var unsealed = 0
    private var changed: Set<Int64> = []

    package init(tx: any Transaction, gateway: ID<Gateway>, anchors: [AuditAnchor]) {
        self.tx = tx
        self.gateway = gateway
        self.anchors = anchors
    }

    package mutating func run() throws {
        var number: Int64 = 0
        while true {
            let seals = try tx.auditSeals(of: gateway, after: number, limit: Self.page)
            for seal in seals {
                if chain.begins == nil, seal.restart.isEmpty, seal.number != 1 || seal.first != 1 {
                    chain.add(
                        "the store: seals 1 to \(seal.number &- 1) with events 1 to \(seal.first &- 1) are missing")
                }
                if !chain.take(seal, leaves: try leaves(of: seal)), changed.count < 10_000 {
                    changed.insert(seal.number)
                }
                for anchor in anchors where anchor.sequence == seal.last {
                    anchored[anchor] = anchor.digest == seal.digest
                }
            }
            guard let last = seals.last, seals.count == Self.page else { break }
            number = last.number
        }
        let (last, placed) = (chain.head?.last ?? 0, try tx.lastAuditSequence(on: gateway))
        if placed > last {
            chain.add("the store: events \(last &+ 1) to \(placed) have a place and no seal: the seals were cut")
        }
        unsealed = try tx.unsealedAuditCount(on: gateway).count
    }

    /// What of the log's batch differs from the store, and which of them has what was sealed.
    package func compare(_ batch: AuditLogCheck.Batch, _ findings: inout AuditFindings) throws {
        let seal = batch.seal
        let stored = try tx.auditSeals(of: gateway, after: seal.number &- 1, limit: 1).first
        guard let stored, stored.number == seal.number else {
            // Lost with the store that an older copy replaced; that is told as the restart itself.
            guard !chain.restarts.contains(where: { $0.previous < seal.number && seal.number < $0.seal }) else {
                return
            }
            findings.add("audit.jsonl has seal \(seal.number) (events \(seal.first) to \(seal.last)), the store hasn't")
            return
        }
        guard stored.digest == seal.digest else {
            findings.add("seal \(seal.number) in audit.jsonl is another one than in the store")
            return
        }
        let isWhole = !changed.contains(seal.number)
        guard !batch.isWhole || !isWhole else { return }
        let rows = Dictionary(
            try leaves(of: seal).map { ($0.sequence, $0.hash) }, uniquingKeysWith: { first, _ in first })
        for leaf in batch.leaves {
            guard let sequence = leaf.sequence, let row = rows[sequence], row != leaf.hash else { continue }
            switch (batch.isWhole, isWhole) {
            case (false, true):
                findings.add("\(leaf.place) was changed (event \(sequence)); the store has what was sealed")
            case (true, false):
                findings.add("event \(sequence) was changed in the store; \(leaf.place) has what was sealed")
            default: findings.add("event \(sequence) differs between the store and \(leaf.place)")
            }
        }
    }

    private func leaves(of seal: AuditSeal) throws -> [AuditChainCheck.Leaf] {
        // Somebody who edits the store may claim any range: nothing larger than a batch is ever sealed.
        guard seal.count > 0, seal.count <= Int64(AuditSealer.batch) else { return [] }
        return try tx.sealedAuditEvents(on: gateway, from: seal.first, to: seal.last).map { event in
            .init(line: AuditLine.event(event, sequence: event.sequence ?? 0).utf8, place: "the store")
        }
    }
}
