import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

@Suite struct HotStateTests {
    @Test func `what couldn't be written is kept, unless something newer came`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let db = try await gateway.enrol("db", controlKey: 2)
        let (webLease, dbLease) = (
            try await gateway.register(web, key: 3), try await gateway.register(db, key: 4)
        )
        _ = try await gateway.registration.heartbeat(generation: webLease.generation, by: web.caller)
        let early = gateway.clock.now
        _ = try await gateway.registration.heartbeat(generation: dbLease.generation, by: db.caller)
        gateway.database.failWrites(.full("disk"))
        gateway.clock.advance(by: .seconds(30))
        gateway.database.duringEachWrite { [hotState = gateway.dependencies.hotState, now = gateway.clock.now] in
            hotState.beat(
                web.machine.id, generation: webLease.generation, at: now, leaseUntil: now + .seconds(120))
        }
        await #expect(throws: StoreError.full("disk")) { try await gateway.flush() }
        gateway.database.duringEachWrite(nil)
        gateway.database.failWrites(nil)
        try await gateway.flush()
        let now = gateway.clock.now
        let web2 = try await gateway.machines.show("web", by: gateway.admin)
        let db2 = try await gateway.machines.show("db", by: gateway.admin)
        #expect(web2.machine.lastSeenAt == now)
        #expect(web2.lease?.expiresAt == now + .seconds(120))
        #expect(db2.machine.lastSeenAt == early)
        #expect(db2.lease?.expiresAt == early + .seconds(120))
    }

    @Test func `nothing gathered is nothing written`() async throws {
        let gateway = try await TestGateway.make()
        let writes = gateway.database.writes
        try await gateway.flush()
        #expect(gateway.database.writes == writes)
    }

    @Test func `a late heartbeat of an older generation doesn't prolong the new one's lease`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let old = try await gateway.register(web, key: 2)
        _ = try await gateway.registration.heartbeat(generation: old.generation, by: web.caller)
        let fresh = try await gateway.registration.register(gateway.report(key: 3), by: web.caller).lease
        gateway.dependencies.hotState.beat(
            web.machine.id, generation: old.generation, at: gateway.clock.now,
            leaseUntil: gateway.clock.now + .seconds(9_999))
        try await gateway.flush()
        #expect(try await gateway.machines.show("web", by: gateway.admin).lease?.expiresAt == fresh.expiresAt)
    }
}
