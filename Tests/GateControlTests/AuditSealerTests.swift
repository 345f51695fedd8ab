import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

@Suite struct AuditSealerTests {
    @Test func `places are gapless and seals follow each other`() async throws {
        let trail = try await SealedTrail.make(batches: [3, 1, 4])
        let seals = try await trail.seals
        #expect(seals.map(\.number) == [1, 2, 3])
        #expect(seals.map(\.first) == [1, 4, 5])
        #expect(seals.map(\.last) == [3, 4, 8])
        #expect(seals[0].previous == [UInt8](repeating: 0, count: 32))
        #expect(seals[1].previous == seals[0].digest)
        #expect(seals[2].key == seals[1].nextKey)
        let checked = try await trail.check([seals[2].anchor, AuditAnchor(sequence: 4, digest: seals[0].digest)])
        #expect(checked.findings.isEmpty)
        #expect(checked.anchored == [seals[2].anchor: true, AuditAnchor(sequence: 4, digest: seals[0].digest): false])
        #expect(SealedTrail.findings(in: SealedTrail.text(try await trail.lines)).isEmpty)
        #expect(try await AuditTrail(trail.gateway.dependencies).head() == seals[2])
    }

    @Test func `nothing is sealed of nothing, and what was undone leaves no hole`() async throws {
        let trail = try await SealedTrail.make()
        let sealer = trail.sealer()
        #expect(try await sealer.pass() == false)
        #expect(try await trail.seals.isEmpty)
        try await trail.write(1)
        trail.gateway.database.failWrites(.full("disk"))
        try await trail.write(5)
        trail.gateway.database.failWrites(nil)
        try await trail.write(1)
        _ = try await sealer.pass()
        #expect(try await trail.seals.map(\.last) == [2])
    }

    @Test func `a backlog is sealed in bounded batches`() async throws {
        let trail = try await SealedTrail.make()
        let events = (0..<(AuditSealer.batch + 7)).map { trail.event("n:\($0)") }
        try await trail.gateway.database.write { tx in for event in events { try tx.appendAudit(event) } }
        let sealer = trail.sealer()
        #expect(try await sealer.pass())
        #expect(try await sealer.pass() == false)
        #expect(try await trail.seals.map(\.count) == [Int64(AuditSealer.batch), 7])
        #expect(try await trail.check().findings.isEmpty)
    }

    @Test func `each key signs once and can't be made again from the one that is kept`() async throws {
        let trail = try await SealedTrail.make(batches: [1])
        let first = try #require(trail.kept.key)
        #expect(first.number == 2)
        #expect(first.lastSequence == 1)
        #expect(try await trail.seals.last?.nextKey == first.publicKey)
        try await trail.write(1)
        _ = try await trail.sealer().pass()
        let second = try #require(trail.kept.key)
        #expect(second.number == 3)
        #expect(second.seed.reveal() != first.seed.reveal())
        // Whoever has the kept key and changes an event can't sign the seal over it again.
        var forged = try await trail.seals[0]
        forged.root = MerkleTree.leaf("forged".utf8)
        forged.key = second.publicKey
        var lines = try await trail.lines
        lines[1] = AuditLine.seal(forged)
        #expect(!SealedTrail.findings(in: SealedTrail.text(lines)).isEmpty)
    }

    /// Every moment at which a gateway may die: before the commit, after it, and with a disk that takes no key.
    @Test func `a death at any moment forks nothing and loses nothing`() async throws {
        let trail = try await SealedTrail.make(batches: [2])
        // Refused commit.
        try await trail.write(2)
        trail.gateway.database.failWrites(.full("disk"))
        let doomed = trail.sealer()
        await #expect(throws: StoreError.self) { try await doomed.pass() }
        trail.gateway.database.failWrites(nil)
        _ = try await trail.sealer().pass()
        #expect(try await trail.seals.map(\.last) == [2, 4])
        // Committed, and died before the key was taken, three times over.
        trail.kept.fail(true)
        for _ in 0..<3 {
            try await trail.write(1)
            let sealer = trail.sealer()
            await #expect(throws: StoreError.self) { try await sealer.pass() }
        }
        #expect(trail.kept.key?.number == 3)
        trail.kept.fail(false)
        try await trail.write(1)
        let sealer = trail.sealer()
        _ = try await sealer.pass()
        // The same sealer after a failed save goes on as well.
        trail.kept.fail(true)
        try await trail.write(1)
        await #expect(throws: StoreError.self) { try await sealer.pass() }
        trail.kept.fail(false)
        try await trail.write(1)
        _ = try await sealer.pass()
        let checked = try await trail.check()
        #expect(checked.findings.isEmpty)
        #expect(checked.restarts.isEmpty)
        let seals = try await trail.seals
        #expect(seals.map(\.number) == Array(1...Int64(seals.count)))
        #expect(trail.kept.key?.number == Int64(seals.count) + 1)
    }

    @Test func `after a crash the old key is replaced though nothing happens`() async throws {
        let trail = try await SealedTrail.make(batches: [1])
        trail.kept.fail(true)
        try await trail.write(1)
        await #expect(throws: StoreError.self) { try await trail.sealer().pass() }
        trail.kept.fail(false)
        #expect(trail.kept.key?.number == 2)
        _ = try await trail.sealer().pass()
        #expect(trail.kept.key?.number == 3)
    }

    @Test func `two sealers of one gateway fork nothing`() async throws {
        let trail = try await SealedTrail.make(batches: [1])
        let sealers = [trail.sealer(), trail.sealer()]
        for _ in 0..<10 {
            try await trail.write(3)
            await withTaskGroup(of: Void.self) { group in
                for sealer in sealers { group.addTask { _ = try? await sealer.pass() } }
            }
        }
        while try await !trail.gateway.auditEvents().isEmpty { _ = try? await sealers[0].pass() }
        let checked = try await trail.check()
        #expect(checked.findings.isEmpty)
        #expect(checked.restarts.isEmpty)
        #expect(try await trail.seals.last?.last == 31)
    }

    @Test(arguments: ["key-missing", "key-mismatch", "seals-missing"])
    func `a chain that can't go on begins anew and says so`(reason: String) async throws {
        let trail = try await SealedTrail.make(batches: [2, 2])
        let before = try await trail.seals
        switch reason {
        case "key-missing": trail.kept.key = nil
        case "key-mismatch":
            trail.kept.key = try SealKey(number: 3, lastSequence: 4, seed: Secret([UInt8](repeating: 7, count: 32)))
        default:
            let key = try #require(trail.kept.key)
            trail.kept.key = try SealKey(number: 9, lastSequence: 40, seed: key.seed)
        }
        try await trail.write(1)
        let sealer = trail.sealer()
        _ = try await sealer.pass()
        _ = try await sealer.pass()
        let checked = try await trail.check()
        #expect(checked.restarts.map(\.reason) == [reason])
        #expect(checked.findings.isEmpty)
        #expect(checked.restarts.first?.after == 4)
        let seals = try await trail.seals
        #expect(Array(seals.prefix(2)) == before)
        // What was given once is never given again, whatever the store forgot.
        #expect(seals[2].number == (reason == "seals-missing" ? 9 : 3))
        #expect(seals[2].first == (reason == "seals-missing" ? 41 : 5))
        let event = try await trail.gateway.database.read {
            [gateway = trail.gateway.dependencies.identity.gateway] tx in
            try tx.sealedAuditEvents(on: gateway, from: 1, to: 1_000).last
        }
        #expect(event?.event.action == "audit.chain-restarted")
        #expect(event?.event.severity == .critical)
        #expect(event?.detailsJSON.contains(reason) == true)
        #expect(SealedTrail.findings(in: SealedTrail.text(try await trail.lines)).isEmpty)
    }

    @Test func `destinations' places are kept with the seal`() async throws {
        let trail = try await SealedTrail.make()
        try await trail.write(2)
        _ = try await trail.sealer().pass(exports: ["log": 1])
        let audit = AuditTrail(trail.gateway.dependencies)
        #expect(try await audit.exported(to: "log") == 1)
        #expect(try await audit.exported(to: "elsewhere") == nil)
        try await audit.noteExported(to: "log", upTo: 2)
        #expect(try await audit.exported(to: "log") == 2)
    }
}
