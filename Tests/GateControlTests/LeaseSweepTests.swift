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

@Suite struct ClockStepsTests {
    private let start = Timestamp(seconds: 1_772_366_400)

    @Test func `leases wait for their agents after a start`() {
        var steps = ClockSteps(grace: .seconds(120))
        #expect(!steps.mayEndLeases(elapsed: .zero))
        #expect(steps.observe(wall: start, elapsed: .seconds(7)) == nil)
        #expect(!steps.mayEndLeases(elapsed: .seconds(126)))
        #expect(steps.mayEndLeases(elapsed: .seconds(127)))
    }

    @Test(arguments: [30 * 86_400, 6, -6, -3_600] as [Int64])
    func `leases wait for their agents after a step`(by seconds: Int64) {
        var steps = ClockSteps(grace: .seconds(120))
        _ = steps.observe(wall: start, elapsed: .zero)
        #expect(steps.observe(wall: start + .seconds(300), elapsed: .seconds(300)) == nil)
        #expect(steps.mayEndLeases(elapsed: .seconds(300)))
        #expect(steps.observe(wall: start + .seconds(301 + seconds), elapsed: .seconds(301)) == .seconds(seconds))
        #expect(!steps.mayEndLeases(elapsed: .seconds(420)))
        // Moved on from where it was set to: that is no further step.
        #expect(steps.observe(wall: start + .seconds(421 + seconds), elapsed: .seconds(421)) == nil)
        #expect(steps.mayEndLeases(elapsed: .seconds(421)))
    }

    @Test func `a clock that is disciplined, or a process that slept, is no step`() {
        var steps = ClockSteps(grace: .seconds(120))
        _ = steps.observe(wall: start, elapsed: .zero)
        #expect(steps.observe(wall: start + .seconds(904), elapsed: .seconds(900)) == nil)
        #expect(steps.observe(wall: start + .seconds(4_500), elapsed: .seconds(4_500)) == nil)
        #expect(steps.mayEndLeases(elapsed: .seconds(4_500)))
    }

    @Test func `a sweep that may not end leases still ends keys`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let lease = try await gateway.register(web, key: 2)
        try await gateway.addJump(9, to: ["web"], login: 60, connection: 120)
        let jump = try #require(try gateway.connect(key: 9, pid: 90))
        gateway.clock.advance(by: .seconds(30 * 86_400))
        #expect(try await LeaseSweep(gateway.dependencies).run(endsLeases: false) == 1)
        #expect(gateway.effects.ended == [jump])
        #expect(try await gateway.machines.show("web", by: gateway.admin).lease?.port == lease.port)
    }

    @Test func `a heartbeat keeps a lease that time has passed by`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let lease = try await gateway.register(web, key: 2)
        gateway.clock.advance(by: .seconds(30 * 86_400))
        let until = try await gateway.registration.heartbeat(generation: lease.generation, by: web.caller)
        try await gateway.flush()
        #expect(until > gateway.clock.now)
        #expect(try await LeaseSweep(gateway.dependencies).run() == 0)
        let kept = try #require(try await gateway.machines.show("web", by: gateway.admin).lease)
        #expect(kept.port == lease.port && kept.generation == lease.generation && kept.expiresAt == until)
    }
}
