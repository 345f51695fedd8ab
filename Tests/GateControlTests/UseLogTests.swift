import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

@Suite struct UseLogTests {
    private func uses(_ gateway: TestGateway) async throws -> [String] {
        try await gateway.auditEvents().filter { $0.event.action == "access.used" }
            .map { "\($0.event.source) \($0.detailsJSON)" }
    }

    private func flush(_ gateway: TestGateway) async throws {
        try await gateway.dependencies.uses.flush(
            to: gateway.database, identity: gateway.dependencies.identity, at: gateway.clock.now)
    }

    @Test func `a token's uses are one event a source and hour, the first one soon`() async throws {
        let gateway = try await TestGateway.make()
        let token = try await gateway.administratorToken()
        let authentication = Authentication(gateway.dependencies)
        try await flush(gateway)
        for _ in 0..<100 { _ = try await authentication.principal(bearer: token, source: "192.0.2.7") }
        try await flush(gateway)
        #expect(try await uses(gateway) == [#"192.0.2.7 {"count":"100"}"#])
        for _ in 0..<50 { _ = try await authentication.principal(bearer: token, source: "192.0.2.7") }
        _ = try await authentication.principal(bearer: token, source: "192.0.2.8")
        try await flush(gateway)
        #expect(try await uses(gateway).count == 2)
        gateway.clock.advance(by: .seconds(3_600))
        try await flush(gateway)
        #expect(
            try await uses(gateway).sorted() == [
                #"192.0.2.7 {"count":"100"}"#, #"192.0.2.7 {"count":"50"}"#, #"192.0.2.8 {"count":"1"}"#,
            ])
        gateway.clock.advance(by: .seconds(3_600))
        try await flush(gateway)
        #expect(try await uses(gateway).count == 3)
    }

    @Test func `what can't be written is written later`() async throws {
        let gateway = try await TestGateway.make()
        let token = try await gateway.administratorToken()
        _ = try await Authentication(gateway.dependencies).principal(bearer: token, source: "192.0.2.7")
        gateway.database.failWrites(.full("disk"))
        await #expect(throws: StoreError.self) { try await flush(gateway) }
        gateway.database.failWrites(nil)
        try await flush(gateway)
        #expect(try await uses(gateway) == [#"192.0.2.7 {"count":"1"}"#])
    }

    @Test func `machines and refusals aren't uses`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let authentication = Authentication(gateway.dependencies)
        _ = try await authentication.principal(bearer: web.key, source: "192.0.2.7")
        _ = try await authentication.principal(bearer: "tgp_" + String(repeating: "A", count: 43), source: "192.0.2.7")
        try await flush(gateway)
        #expect(try await uses(gateway).isEmpty)
    }
}
