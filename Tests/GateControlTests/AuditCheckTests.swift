import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

@Suite struct AuditCheckTests {
    @Test func `a line is what it was when the format was made`() throws {
        let id = try #require(ID<AuditEvent>("0195a1b2-0000-7000-8000-000000000001"))
        let tenant = try #require(ID<Tenant>("0195a1b2-0000-4000-8000-000000000002"))
        let gateway = try #require(ID<Gateway>("0195a1b2-0000-4000-8000-000000000003"))
        let event = AuditEvent(
            id: id, tenant: tenant, gateway: gateway, at: Timestamp(microseconds: 1_772_366_400_000_250),
            storedAction: "machine.added", severity: .warning, outcome: .failed, actor: "user:1",
            credential: "token:2", source: "192.0.2.1", subject: "a\"\\\u{1B}\u{7F}\u{202E}é😀")
        #expect(
            AuditLine.event(StoredAuditEvent(event: event, detailsJSON: #"{"b":"1","a":"2"}"#), sequence: 12)
                == #"{"action":"machine.added","actor":"user:1","at":"2026-03-01T12:00:00.000250Z","credential":"token:2","details":{"b":"1","a":"2"},"id":"0195a1b2-0000-7000-8000-000000000001","outcome":"failed","seq":12,"severity":"warning","source":"192.0.2.1","subject":"a\"\\\u001b\u007f\u202eé😀","tenant":"0195a1b2-0000-4000-8000-000000000002"}"#
        )
        let seal = AuditSeal(
            gateway: gateway, number: 2, previous: [UInt8](repeating: 1, count: 32), first: 3, last: 4,
            root: [UInt8](repeating: 2, count: 32), at: Timestamp(seconds: 1_772_366_400),
            key: [UInt8](repeating: 3, count: 32), nextKey: [UInt8](repeating: 4, count: 32),
            signature: [UInt8](repeating: 5, count: 64))
        let hex = { (digit: Int) in String(repeating: "0\(digit)", count: 32) }
        let line =
            #"{"seal":{"at":"2026-03-01T12:00:00Z","first":3,"gateway":"0195a1b2-0000-4000-8000-000000000003","key":"\#(hex(3))","last":4,"next":"\#(hex(4))","number":2,"previous":"\#(hex(1))","restart":"","root":"\#(hex(2))"},"signature":"\#(hex(5))\#(hex(5))"}"#
        #expect(AuditLine.seal(seal) == line)
        #expect(AuditLine.readSeal(line) == seal)
    }

    @Test func `details that were edited can't break a line in two`() throws {
        let event = AuditEvent(
            id: .random(), tenant: .random(), gateway: .random(), at: Timestamp(seconds: 0), action: .tokenAdded,
            actor: "a", subject: "s")
        for json in ["{\"a\":\"b\n\"}", "", "}\n{", "{\u{0}}"] {
            let line = AuditLine.event(StoredAuditEvent(event: event, detailsJSON: json), sequence: 1)
            #expect(!line.contains("\n") && !line.utf8.contains(0))
        }
    }

    /// A small log: two batches, five lines. Every byte, two flips each, and every byte left out.
    @Test func `any single byte that is flipped or missing is found`() async throws {
        let trail = try await SealedTrail.make(batches: [2, 1])
        let text = SealedTrail.text(try await trail.lines)
        #expect(SealedTrail.findings(in: text).isEmpty)
        // The last line break: without it the file is cut short, and nothing in it changed.
        for index in text.indices.dropLast() {
            for flip: UInt8 in [0x01, 0x20] {
                var changed = text
                changed[index] ^= flip
                #expect(!SealedTrail.findings(in: changed).isEmpty, "byte \(index) ^ \(flip)")
            }
            var shorter = text
            shorter.remove(at: index)
            #expect(!SealedTrail.findings(in: shorter).isEmpty, "byte \(index) left out")
        }
    }

    @Test func `a line that is removed, moved, doubled or added is found and named`() async throws {
        let trail = try await SealedTrail.make(batches: [4, 1, 3])
        let lines = try await trail.lines
        for index in lines.indices {
            var shorter = lines
            shorter.remove(at: index)
            // The last seal but for its events is a tail that was cut: found, too.
            #expect(!SealedTrail.findings(in: SealedTrail.text(shorter)).isEmpty, "without line \(index)")
            var doubled = lines
            doubled.insert(lines[index], at: index)
            #expect(!SealedTrail.findings(in: SealedTrail.text(doubled)).isEmpty, "line \(index) twice")
            for other in lines.indices where other > index {
                var swapped = lines
                swapped.swapAt(index, other)
                #expect(!SealedTrail.findings(in: SealedTrail.text(swapped)).isEmpty, "\(index) and \(other)")
            }
        }
        var shorter = lines
        shorter.remove(at: 1)
        #expect(SealedTrail.findings(in: SealedTrail.text(shorter)) == ["audit.jsonl: event 2 is missing (seal 1)"])
        var swapped = lines
        swapped.swapAt(1, 2)
        #expect(
            SealedTrail.findings(in: SealedTrail.text(swapped)) == [
                "line 2 and line 3 have changed places: event 3 before 2"
            ])
        #expect(
            SealedTrail.findings(in: SealedTrail.text(Array(lines.dropLast()))) == [
                "line 8 to line 10 have no seal behind: the end is torn or was cut"
            ])
    }

    @Test func `a batch that is left out whole is found by the next one`() async throws {
        let trail = try await SealedTrail.make(batches: [2, 2, 2])
        var lines = try await trail.lines
        lines.removeSubrange(3..<6)
        #expect(
            SealedTrail.findings(in: SealedTrail.text(lines)) == [
                "audit.jsonl: seal 2 with events 3 to 4 are missing"
            ])
        // Begun in the middle, as after a rotation, is no finding of the log's.
        #expect(SealedTrail.findings(in: SealedTrail.text(Array(lines[3...]))).isEmpty)
    }

    @Test(arguments: [
        "UPDATE audit_event SET action = 'machine.removed' WHERE sequence = 3",
        "UPDATE audit_event SET at = at + 1 WHERE sequence = 3",
        "UPDATE audit_event SET actor = 'user:2' WHERE sequence = 3",
        "UPDATE audit_event SET credential = 'token:1' WHERE sequence = 3",
        "UPDATE audit_event SET source = '192.0.2.2' WHERE sequence = 3",
        "UPDATE audit_event SET subject = 'n:7' WHERE sequence = 3",
        "UPDATE audit_event SET severity = 'error' WHERE sequence = 3",
        "UPDATE audit_event SET outcome = 'refused' WHERE sequence = 3",
        "UPDATE audit_event SET details = '{}' WHERE sequence = 3",
        "UPDATE audit_event SET sequence = NULL WHERE sequence = 3",
        "UPDATE audit_event SET sequence = 99 WHERE sequence = 3",
        "DELETE FROM audit_event WHERE sequence = 3", "DELETE FROM audit_event WHERE sequence = 1",
        "DELETE FROM audit_event WHERE sequence = 6", "DELETE FROM audit_seal WHERE number = 1",
        "DELETE FROM audit_seal WHERE number = 2", "DELETE FROM audit_seal WHERE number = 3",
        "UPDATE audit_seal SET at = at + 1 WHERE number = 2",
        "UPDATE audit_seal SET first_sequence = 4 WHERE number = 2",
        "UPDATE audit_seal SET last_sequence = 5 WHERE number = 3",
        "UPDATE audit_seal SET restart = 'x' WHERE number = 2",
        "UPDATE audit_seal SET root = zeroblob(32) WHERE number = 2",
        "UPDATE audit_seal SET public_key = zeroblob(32) WHERE number = 2",
        "UPDATE audit_seal SET next_key = zeroblob(32) WHERE number = 2",
        "UPDATE audit_seal SET previous = zeroblob(32) WHERE number = 2",
        "UPDATE audit_seal SET signature = zeroblob(64) WHERE number = 2",
        "UPDATE audit_seal SET first_sequence = -9000000000000000000, last_sequence = 9000000000000000000 WHERE number = 3",
    ])
    func `whatever is changed in the store is found`(statement: String) async throws {
        let trail = try await SealedTrail.make(batches: [2, 2, 2])
        let anchor = try #require(try await trail.seals.last).anchor
        try await trail.gateway.edit(statement)
        let checked = try await trail.check([anchor])
        #expect(!checked.findings.isEmpty, "\(statement)")
    }

    @Test func `two events that changed places in the store are found`() async throws {
        let trail = try await SealedTrail.make(batches: [3])
        try await trail.gateway.edit(
            """
            UPDATE audit_event SET sequence = 100 WHERE sequence = 1;
            UPDATE audit_event SET sequence = 1 WHERE sequence = 2;
            UPDATE audit_event SET sequence = 2 WHERE sequence = 100;
            """)
        #expect(
            try await trail.check().findings == [
                "the store: of the events 1 to 3 (seal 1) at least one was changed"
            ])
    }

    @Test func `of store and log it is said which one was changed`() async throws {
        let trail = try await SealedTrail.make(batches: [3])
        let lines = try await trail.lines
        func differences(_ lines: [String]) async throws -> [String] {
            try await trail.gateway.database.read { [gateway = trail.gateway.dependencies.identity.gateway] tx in
                var store = AuditStoreCheck(tx: tx, gateway: gateway, anchors: [])
                try store.run()
                var log = AuditLogCheck()
                var findings = AuditFindings()
                for (number, line) in lines.enumerated() {
                    guard let batch = log.take(Array(line.utf8), at: "line \(number + 1)") else { continue }
                    try store.compare(batch, &findings)
                }
                return findings.all
            }
        }
        #expect(try await differences(lines).isEmpty)
        var edited = lines
        edited[1] = edited[1].replacing("user:1", with: "user:2")
        #expect(
            try await differences(edited) == ["line 2 was changed (event 2); the store has what was sealed"])
        try await trail.gateway.edit("UPDATE audit_event SET actor = 'user:3' WHERE sequence = 2")
        #expect(
            try await differences(lines) == ["event 2 was changed in the store; line 2 has what was sealed"])
        #expect(try await differences(edited) == ["event 2 differs between the store and line 2"])
    }

    @Test(arguments: [
        "", "1", "1:", ":ab", "0:\(String(repeating: "a", count: 64))", "-1:\(String(repeating: "a", count: 64))",
        "1:\(String(repeating: "g", count: 64))", "1:\(String(repeating: "a", count: 63))", "1:2:3",
    ])
    func `what is no anchor is refused`(text: String) { #expect(AuditAnchor(text) == nil) }

    @Test func `an anchor is read in either case`() {
        let text = "12:" + String(repeating: "ab", count: 32)
        #expect(AuditAnchor(text)?.description == text)
        #expect(AuditAnchor(text.uppercased())?.description == text)
    }
}
