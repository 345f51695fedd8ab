import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

@Suite struct AgentKeyServiceTests {
    @Test func `keys rotate without a gap`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let (fresh, text) = try await gateway.agentKeys.add(to: "web", label: named("added"), by: gateway.admin)
        let authentication = Authentication(gateway.dependencies)
        #expect(try await authentication.principal(bearer: web.key, source: "s") != nil)
        #expect(try await authentication.principal(bearer: text.reveal(), source: "s") != nil)
        try await gateway.agentKeys.revoke(web.keyID, of: "web", by: gateway.admin)
        #expect(try await authentication.principal(bearer: web.key, source: "s") == nil)
        #expect(try await authentication.principal(bearer: text.reveal(), source: "s") != nil)
        let listed = try await gateway.agentKeys.list(of: "web", by: gateway.admin)
        #expect(listed.filter { $0.revokedAt == nil }.map(\.id) == [fresh.id])
    }

    @Test func `revoking an agent key ends what was registered with it, and nothing else`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let db = try await gateway.enrol("db", controlKey: 2)
        try await gateway.register(web, key: 3)
        try await gateway.register(db, key: 4)
        let own = try #require(try gateway.connect(key: 3, pid: 13))
        #expect(try gateway.connect(key: 4, pid: 14) != nil)
        try await gateway.agentKeys.revoke(web.keyID, of: "web", by: gateway.admin)
        #expect(gateway.effects.ended == [own])
        #expect(try gateway.connect(key: 3, pid: 15) == nil)
        #expect(try gateway.connect(key: 4, pid: 16) != nil)
        await #expect(throws: ControlError.unauthenticated) { try await gateway.register(web, key: 5) }
    }

    @Test func `revoking twice is fine, another machine's key isn't found`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        _ = try await gateway.add("db")
        try await gateway.agentKeys.revoke(web.keyID, of: "web", by: gateway.admin)
        try await gateway.agentKeys.revoke(web.keyID, of: "web", by: gateway.admin)
        await #expect(throws: ControlError.agentKeyNotFound) {
            try await gateway.agentKeys.revoke(web.keyID, of: "db", by: gateway.admin)
        }
        #expect(try await gateway.auditedActions().filter { $0 == "agent-key.revoked" }.count == 1)
    }

    @Test func `a machine has at most ten keys`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.add("web")
        for _ in 0..<EnrolmentService.keyLimit {
            _ = try await gateway.agentKeys.add(to: "web", label: named("added"), by: gateway.admin)
        }
        await #expect(throws: ControlError.self) {
            try await gateway.agentKeys.add(to: "web", label: named("added"), by: gateway.admin)
        }
    }

    @Test func `when the store can't say whether it committed, nothing remembered answers`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let authentication = Authentication(gateway.dependencies)
        _ = try await authentication.principal(bearer: web.key, source: "s")
        #expect(try gateway.connect(key: 1, pid: 1) != nil)
        gateway.database.failWrites(.transient("lost"))
        await #expect(throws: StoreError.self) {
            try await gateway.agentKeys.revoke(web.keyID, of: "web", by: gateway.admin)
        }
        let reads = gateway.database.reads
        #expect(try await authentication.principal(bearer: web.key, source: "s") != nil)
        #expect(try gateway.connect(key: 1, pid: 2) != nil)
        #expect(gateway.database.reads == reads + 2)
    }
}
