import GateModel
import GateStore
import Logging

/// Seals what is committed: gives each event its place, signs the batch and the seal before it, and takes the next key.
///
/// It comes after the commit, never inside it: one chain head in every transaction would make all of them wait for each
/// other. One sealer per gateway; the seal's number is the store's primary key, so a second one loses and forks nothing.
public actor AuditSealer {
    /// Events in one seal, at most: their places are written in one transaction that others share.
    public static let batch = 500

    /// Another sealer, or somebody at the store, came between.
    struct Race: Error {}

    private let dependencies: ControlDependencies
    private let keys: SealKeyStore
    private let tail: AuditTail
    private var key: SealKey?
    private var isSaved = true

    /// `tail`: who follows the trail hears of an event when it is sealed.
    public init(_ dependencies: ControlDependencies, keys: SealKeyStore, tail: AuditTail = AuditTail()) {
        self.dependencies = dependencies
        self.keys = keys
        self.tail = tail
    }

    /// One batch. `exports` are the places that destinations have got to; they are kept with the seal, in its commit.
    /// Returns whether more waits.
    public func pass(exports: [String: Int64] = [:]) async throws -> Bool {
        do {
            return try await sealBatch(exports)
        } catch {
            // Whether the seal is committed isn't known: the next pass asks store and file.
            key = nil
            throw error
        }
    }

    private func sealBatch(_ exports: [String: Int64]) async throws -> Bool {
        let gateway = dependencies.identity.gateway
        let (head, pending, placed) = try await dependencies.database.read { tx in
            (
                try tx.auditHead(of: gateway), try tx.unsealedAuditEvents(on: gateway, limit: Self.batch),
                try tx.lastAuditSequence(on: gateway)
            )
        }
        try saveIfNeeded()
        guard !pending.isEmpty else {
            // After a crash between commit and key: the old key must not lie about until something happens.
            if key == nil, head != nil { _ = try settledKey(after: head) }
            return false
        }
        let (key, reason) = try settledKey(after: head)
        let first = max(head?.last ?? 0, key.lastSequence, placed) &+ 1
        let restart = reason.isEmpty && first != (head?.last ?? 0) &+ 1 ? "unsealed-sequences" : reason
        let seal = try Self.seal(
            pending, gateway: gateway, after: head, first: first, restart: restart, key: key, at: dependencies.now())
        try await commit(seal, pending.map(\.event.id), after: head, exports: exports)
        tail.publish(
            pending.enumerated().map { offset, stored in
                StoredAuditEvent(
                    event: stored.event, detailsJSON: stored.detailsJSON, sequence: first &+ Int64(offset))
            })
        self.key = try key.next(lastSequence: seal.last)
        isSaved = false
        await noteWaiting(afterBatchOf: pending.count)
        try saveIfNeeded()
        return pending.count == Self.batch
    }

    private func noteWaiting(afterBatchOf count: Int) async {
        var waiting = 0
        if count == Self.batch {
            let gateway = dependencies.identity.gateway
            waiting =
                (try? await dependencies.database.read { tx in try tx.unsealedAuditCount(on: gateway).count }) ?? 0
        }
        dependencies.auditing.health.waiting(.seal, Int64(waiting))
    }

    private func saveIfNeeded() throws {
        guard !isSaved, let key else { return }
        try keys.save(key)
        isSaved = true
    }

    /// The key for the seal after `head`, and why the chain begins anew with it; empty when it doesn't.
    private func settledKey(after head: AuditSeal?) throws -> (SealKey, restart: String) {
        let number = (head?.number ?? 0) &+ 1
        guard var key = try key ?? keys.load() else {
            return (try begin(number, after: head), head == nil ? "" : "key-missing")
        }
        let stored = key.number
        // Sealed, and died before the key was taken.
        while key.number < number, number - key.number <= 1_000_000 {
            key = try key.next(lastSequence: max(key.lastSequence, head?.last ?? 0))
        }
        if key.number == number, head == nil || head?.nextKey == key.publicKey {
            self.key = key
            if key.number != stored {
                isSaved = false
                try saveIfNeeded()
            }
            return (key, "")
        }
        // The store is older than the key (a backup came back, or somebody cut it): the key goes on, and its number says
        // how much is missing.
        if key.number > number {
            self.key = key
            return (key, "seals-missing")
        }
        return (try begin(number, after: head), "key-mismatch")
    }

    /// A key of no ancestry. It is kept before anything is signed with it, or a crash would leave a seal that names a key
    /// nobody has.
    private func begin(_ number: Int64, after head: AuditSeal?) throws -> SealKey {
        let fresh = try SealKey.fresh(number: number, lastSequence: head?.last ?? 0)
        try keys.save(fresh)
        key = fresh
        isSaved = true
        return fresh
    }

    static func seal(
        _ events: [StoredAuditEvent], gateway: ID<Gateway>, after head: AuditSeal?, first: Int64, restart: String,
        key: SealKey, at now: Timestamp
    ) throws -> AuditSeal {
        let leaves = events.enumerated().map { offset, event in
            MerkleTree.leaf(AuditLine.event(event, sequence: first &+ Int64(offset)).utf8)
        }
        var seal = AuditSeal(
            gateway: gateway, number: key.number, previous: head?.digest ?? [UInt8](repeating: 0, count: 32),
            first: first, last: first &+ Int64(events.count) &- 1, root: MerkleTree.root(of: leaves), at: now,
            restart: restart, key: key.publicKey, nextKey: try key.next(lastSequence: 0).publicKey)
        seal.signature = try key.signature(for: seal.signedBytes)
        return seal
    }

    private func commit(
        _ seal: AuditSeal, _ events: [ID<AuditEvent>], after head: AuditSeal?, exports: [String: Int64]
    ) async throws {
        let restarted = seal.restart.isEmpty ? nil : restartEvent(seal, after: head)
        try await dependencies.database.write { tx in
            guard try tx.auditHead(of: seal.gateway)?.number == head?.number else { throw Race() }
            try tx.insertAuditSeal(seal)
            for (offset, id) in events.enumerated() {
                guard try tx.placeAuditEvent(id, at: seal.first &+ Int64(offset)) else { throw Race() }
            }
            for (destination, sequence) in exports {
                try tx.noteAuditExport(to: destination, of: seal.gateway, upTo: sequence, at: seal.at)
            }
            if let restarted { try tx.appendAudit(restarted) }
        }
        if !seal.restart.isEmpty {
            dependencies.logger.critical(
                "the audit chain begins anew: see 'tidegate audit verify'",
                metadata: ["gate.seal": "\(seal.number)", "gate.reason": "\(seal.restart)"])
        }
    }

    private func restartEvent(_ seal: AuditSeal, after head: AuditSeal?) -> AuditEvent {
        dependencies.ownEvent(
            .auditChainRestarted, subject: "gateway:\(seal.gateway)", severity: .critical, outcome: .failed,
            at: seal.at,
            details: [
                ("reason", seal.restart), ("seal", String(seal.number)),
                ("follows_seal", head.map { String($0.number) } ?? "none"), ("first_event", String(seal.first)),
            ])
    }
}
