import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

@Suite struct RefusalLogTests {
    private func subject(_ number: Int) -> RefusalLog.Subject {
        RefusalLog.Subject(kind: "credential", reason: "unknown", source: "192.0.2.\(number)", credential: "")
    }

    private func events(_ gateway: TestGateway, _ action: String) async throws -> [StoredAuditEvent] {
        try await AuditService(gateway.dependencies).events(
            AuditFilter(action: action), limit: 1_000, by: gateway.admin)
    }

    @Test func `refusals are counted by source, and past the limit only their number is kept`() async throws {
        let gateway = try await TestGateway.make()
        let log = RefusalLog(limit: 10)
        for _ in 0..<3 { for number in 0..<100 { log.note(subject(number)) } }
        #expect(log.total == 300)
        try await log.flush(
            to: gateway.database, identity: gateway.dependencies.identity, at: gateway.clock.now)
        let kept = try await events(gateway, "access.refused")
        #expect(kept.count == 10)
        #expect(kept.allSatisfy { $0.detailsJSON == #"{"reason":"unknown","count":"3"}"# })
        let dropped = try await events(gateway, "access.refusals-dropped")
        #expect(dropped.map(\.detailsJSON) == [#"{"count":"270"}"#])
    }

    @Test func `a flush that fails keeps the number and starts anew`() async throws {
        let gateway = try await TestGateway.make()
        let log = RefusalLog()
        for number in 0..<5 { log.note(subject(number)) }
        gateway.database.failWrites(.full("disk"))
        await #expect(throws: StoreError.self) {
            try await log.flush(
                to: gateway.database, identity: gateway.dependencies.identity, at: gateway.clock.now)
        }
        gateway.database.failWrites(nil)
        log.note(subject(6))
        try await log.flush(
            to: gateway.database, identity: gateway.dependencies.identity, at: gateway.clock.now)
        #expect(try await events(gateway, "access.refused").count == 1)
        #expect(try await events(gateway, "access.refusals-dropped").map(\.detailsJSON) == [#"{"count":"5"}"#])
    }

    @Test func `a source's text can't break the event's JSON`() async throws {
        let gateway = try await TestGateway.make()
        let log = RefusalLog()
        log.note(.init(kind: "k", reason: "a\"b\\c\n\u{1B}[31m\u{202E}", source: "s", credential: ""))
        try await log.flush(
            to: gateway.database, identity: gateway.dependencies.identity, at: gateway.clock.now)
        let text = try #require(try await events(gateway, "access.refused").first).detailsJSON
        #expect(text == #"{"reason":"a\"b\\c\u000a\u001b[31m\u202e","count":"1"}"#)
    }
}
