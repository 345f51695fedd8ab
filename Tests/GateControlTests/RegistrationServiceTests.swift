import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

@Suite struct RegistrationServiceTests {
    @Test func `the port stays, the generation rises with another key and not with the same`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let first = try await gateway.register(web, key: 2)
        let again = try await gateway.register(web, key: 2)
        let other = try await gateway.register(web, key: 3)
        #expect(again.generation == first.generation)
        #expect(other.generation == first.generation + 1)
        #expect(Set([first, again, other].map(\.port)).count == 1)
        // Long after its end, as long as nobody swept it, the lease is still the machine's.
        gateway.clock.advance(by: .seconds(100_000))
        #expect(try await gateway.register(web, key: 4).port == first.port)
    }

    @Test func `another key revokes the one before and ends its connections before it answers`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let control = try #require(try gateway.connect(key: 1, pid: 11))
        try await gateway.register(web, key: 2)
        #expect(gateway.effects.ended == [control])
        #expect(try gateway.connect(key: 1, pid: 12) == nil)
        let tunnel = try #require(try gateway.connect(key: 2, pid: 21))
        try await gateway.register(web, key: 2)
        #expect(gateway.effects.ended == [control])
        try await gateway.register(web, key: 3)
        #expect(gateway.effects.ended == [control, tunnel])
        #expect(try gateway.connect(key: 2, pid: 22) == nil)
        #expect(try gateway.connect(key: 3, pid: 31) != nil)
    }

    @Test func `jumps to a machine go on while its tunnel is replaced on the same port`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        try await gateway.register(web, key: 2)
        try await gateway.addJump(9, to: ["web"])
        #expect(try gateway.connect(key: 9, pid: 90) != nil)
        try await gateway.register(web, key: 3)
        #expect(gateway.effects.ended.isEmpty)
    }

    @Test func `two machines never share a port`() async throws {
        let gateway = try await TestGateway.make(ports: 20_000...20_015)
        var machines: [TestGateway.Enrolled] = []
        for number in 0..<16 {
            machines.append(try await gateway.enrol("m\(number)", controlKey: UInt64(number)))
        }
        let ports = try await withThrowingTaskGroup(of: Int.self) { group in
            for (number, machine) in machines.enumerated() {
                group.addTask { try await gateway.register(machine, key: UInt64(100 + number)).port }
            }
            return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        #expect(ports == Set(20_000...20_015))
    }

    @Test func `a full range says so, and a resting port isn't free yet`() async throws {
        let gateway = try await TestGateway.make(ports: 20_000...20_000)
        let web = try await gateway.enrol("web", controlKey: 1)
        let db = try await gateway.enrol("db", controlKey: 2)
        try await gateway.register(web, key: 3)
        await #expect(throws: ControlError.leaseRangeFull) { try await gateway.register(db, key: 4) }
        try await gateway.machines.remove("web", by: gateway.admin)
        await #expect(throws: ControlError.leaseRangeFull) { try await gateway.register(db, key: 4) }
        gateway.clock.advance(by: PortPool.rest)
        #expect(try await gateway.register(db, key: 4).port == 20_000)
    }

    @Test func `a port somebody else listens on is skipped and audited`() async throws {
        let gateway = try await TestGateway.make(ports: 20_000...20_002)
        gateway.effects.hold(20_000, by: .stranger(uid: 1_234))
        gateway.effects.hold(20_001, by: .stranger(uid: 1_234))
        let web = try await gateway.enrol("web", controlKey: 1)
        #expect(try await gateway.register(web, key: 2).port == 20_002)
    }

    @Test func `when strangers hold every port the range is full, and each is audited once`() async throws {
        let gateway = try await TestGateway.make(ports: 20_000...20_001)
        for port in 20_000...20_001 { gateway.effects.hold(port, by: .stranger(uid: 1_234)) }
        let web = try await gateway.enrol("web", controlKey: 1)
        await #expect(throws: ControlError.leaseRangeFull) { try await gateway.register(web, key: 2) }
        let events = try await AuditService(gateway.dependencies).events(
            AuditFilter(action: "lease.port-held"), limit: 10, by: gateway.admin)
        #expect(Set(events.map(\.event.subject)) == ["port:20000", "port:20001"])
        #expect(events.count == 2)
        #expect(events.allSatisfy { $0.detailsJSON.contains("1234") && $0.event.severity == .warning })
        gateway.effects.hold(20_001, by: nil)
        #expect(try await gateway.register(web, key: 2).port == 20_001)
    }

    @Test func `a stranger on the machine's own port makes the lease move and its jumps end`() async throws {
        let gateway = try await TestGateway.make(ports: 20_000...20_001)
        let web = try await gateway.enrol("web", controlKey: 1)
        let first = try await gateway.register(web, key: 2)
        try await gateway.addJump(9, to: ["web"])
        let jump = try #require(try gateway.connect(key: 9, pid: 90))
        gateway.effects.hold(first.port, by: .stranger(uid: 1_234))
        let second = try await gateway.register(web, key: 3)
        #expect(second.port != first.port)
        #expect(second.generation == first.generation + 1)
        #expect(gateway.effects.ended == [jump])
    }

    @Test func `a lease outside the range moves into it and jumps to the old port end`() async throws {
        let before = try await TestGateway.make(ports: 20_000...20_000)
        let web = try await before.enrol("web", controlKey: 1)
        try await before.register(web, key: 2)
        try await before.addJump(9, to: ["web"])
        let gateway = try await before.restarted(ports: 30_000...30_000)
        let jump = try #require(try gateway.connect(key: 9, pid: 90))
        let lease = try await gateway.register(web, key: 2)
        #expect(lease.port == 30_000)
        #expect(gateway.effects.ended == [jump])
        let leases = try await gateway.database.read { [identity = gateway.dependencies.identity] tx in
            try tx.leasedPorts(on: identity.gateway, address: "127.0.0.1")
        }
        #expect(leases == [30_000])
    }

    @Test func `a restart keeps every machine's port`() async throws {
        let before = try await TestGateway.make(ports: 20_000...20_003)
        let web = try await before.enrol("web", controlKey: 1)
        let db = try await before.enrol("db", controlKey: 2)
        let first = try await before.register(web, key: 3).port
        let gateway = try await before.restarted(ports: 20_000...20_003)
        #expect(try await gateway.register(db, key: 4).port != first)
        #expect(try await gateway.register(web, key: 5).port == first)
    }

    @Test func `a key of another machine or person is refused`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let db = try await gateway.enrol("db", controlKey: 2)
        try await gateway.register(web, key: 3)
        try await gateway.addJump(9, to: ["web"])
        for key: UInt64 in [1, 3, 9] where key != 1 {
            await #expect(throws: ControlError.keyTaken) { try await gateway.register(db, key: key) }
        }
        #expect(gateway.dependencies.ports.heldCount == 1)
    }

    @Test func `agents that take one place from each other are held, the current one goes on`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let service = gateway.registration
        var key: UInt64 = 10
        _ = try await service.register(gateway.report(key: key), by: web.caller)
        for turn in 0..<5 {
            #expect(try gateway.connect(key: key, pid: Int32(100 + turn)) != nil)
            key += 1
            _ = try await service.register(gateway.report(key: key), by: web.caller)
        }
        await #expect(throws: ControlError.duplicateAgent(retryAfter: .seconds(600))) {
            try await service.register(gateway.report(key: 99), by: web.caller)
        }
        _ = try await service.register(gateway.report(key: key), by: web.caller)
        #expect(gateway.dependencies.refusals.total == 1)
        gateway.clock.advance(by: .seconds(600))
        _ = try await service.register(gateway.report(key: 99), by: web.caller)
    }

    @Test func `an agent that restarts often, its old connection gone, is no duplicate`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let service = gateway.registration
        for key: UInt64 in 10..<40 { _ = try await service.register(gateway.report(key: key), by: web.caller) }
    }

    @Test func `a heartbeat moves the lease's end, and the store learns of it with the next flush`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let lease = try await gateway.register(web, key: 2)
        gateway.clock.advance(by: .seconds(100))
        let until = try await gateway.registration.heartbeat(generation: lease.generation, by: web.caller)
        #expect(until == gateway.clock.now + .seconds(120))
        #expect(try await gateway.machines.show("web", by: gateway.admin).machine.lastSeenAt == gateway.clock.now)
        try await gateway.flush()
        let shown = try await gateway.machines.show("web", by: gateway.admin)
        #expect(shown.lease?.expiresAt == until)
        #expect(shown.machine.lastSeenAt == gateway.clock.now)
    }

    @Test func `a heartbeat of an older generation, or without a lease, is refused`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        await #expect(throws: ControlError.leaseNotFound) {
            try await gateway.registration.heartbeat(generation: 1, by: web.caller)
        }
        let first = try await gateway.register(web, key: 2)
        try await gateway.register(web, key: 3)
        await #expect(throws: ControlError.generationSuperseded) {
            try await gateway.registration.heartbeat(generation: first.generation, by: web.caller)
        }
        gateway.clock.advance(by: .seconds(120) + LeaseSweep.margin)
        try await LeaseSweep(gateway.dependencies).run()
        await #expect(throws: ControlError.leaseNotFound) {
            try await gateway.registration.heartbeat(generation: first.generation + 1, by: web.caller)
        }
        await #expect(throws: ControlError.forbidden) {
            try await gateway.registration.heartbeat(generation: 1, by: gateway.admin)
        }
    }
}
