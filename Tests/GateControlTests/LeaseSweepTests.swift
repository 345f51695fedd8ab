import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

@Suite struct LeaseSweepTests {
    @Test func `a lease is swept a minute after its end, with its key, its tunnel and its jumps`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let lease = try await gateway.register(web, key: 2)
        try await gateway.addJump(9, to: ["web"], login: 3_600, connection: 3_600)
        let tunnel = try #require(try gateway.connect(key: 2, pid: 20))
        let jump = try #require(try gateway.connect(key: 9, pid: 90))
        let sweep = LeaseSweep(gateway.dependencies)
        gateway.clock.advance(by: .seconds(120) + LeaseSweep.margin - .microseconds(1))
        #expect(try await sweep.run() == 0)
        gateway.clock.advance(by: .microseconds(1))
        #expect(try await sweep.run() == 1)
        #expect(Set(gateway.effects.ended) == [tunnel, jump])
        #expect(try await gateway.machines.show("web", by: gateway.admin).lease == nil)
        #expect(try await gateway.auditedActions().last == "lease.expired")
        #expect(try await sweep.run() == 0)
        // The port rests, so a machine that comes back gets another one.
        #expect(try await gateway.register(web, key: 3).port != lease.port)
    }

    @Test func `a lease whose heartbeats reached the store is left alone`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let lease = try await gateway.register(web, key: 2)
        for _ in 0..<10 {
            gateway.clock.advance(by: .seconds(100))
            _ = try await gateway.registration.heartbeat(generation: lease.generation, by: web.caller)
            try await gateway.flush()
            #expect(try await LeaseSweep(gateway.dependencies).run() == 0)
        }
    }

    @Test func `keys are revoked and their connections ended when their time is over`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let registration = RegistrationService(gateway.dependencies, leaseLifetime: .seconds(100_000))
        _ = try await registration.register(gateway.report(key: 2), by: web.caller)
        try await gateway.addJump(9, to: ["web"], login: 60, connection: 120)
        let jump = try #require(try gateway.connect(key: 9, pid: 90))
        gateway.clock.advance(by: .seconds(119))
        #expect(try await LeaseSweep(gateway.dependencies).run() == 0)
        gateway.clock.advance(by: .seconds(1))
        #expect(try await LeaseSweep(gateway.dependencies).run() == 1)
        #expect(gateway.effects.ended == [jump])
    }

    @Test func `many leases are swept in one pass`() async throws {
        let gateway = try await TestGateway.make()
        let (identity, now) = (gateway.dependencies.identity, gateway.clock.now)
        try await gateway.database.write { tx in
            for number in 0..<450 {
                let machine = Machine(
                    id: .random(), tenant: identity.tenant, agentID: try named("m\(number)"),
                    name: try named("m\(number)"), createdAt: now, updatedAt: now)
                try tx.insertMachine(machine)
                _ = try tx.takePort(
                    Lease(
                        tenant: identity.tenant, gateway: identity.gateway, machine: machine.id, address: "127.0.0.1",
                        port: 40_000 + number, generation: 1, createdAt: now, expiresAt: now + .seconds(1)))
            }
        }
        gateway.clock.advance(by: .seconds(100))
        #expect(try await LeaseSweep(gateway.dependencies).run() == 450)
    }

    @Test func `rests are forgotten when nobody needs them any more`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        try await gateway.register(web, key: 2)
        try await gateway.machines.remove("web", by: gateway.admin)
        func rests() async throws -> Int {
            try await gateway.database.read { tx in try tx.rows("SELECT port FROM port_rest").count }
        }
        gateway.clock.advance(by: PortPool.foreignRest - .seconds(1))
        try await LeaseSweep(gateway.dependencies).run()
        #expect(try await rests() == 1)
        gateway.clock.advance(by: .seconds(1))
        try await LeaseSweep(gateway.dependencies).run()
        #expect(try await rests() == 0)
    }
}
