import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

@Suite struct MachineServiceTests {
    private func add(
        _ name: String, agentID: String? = nil, tags: [String] = [], site: String = "", to gateway: TestGateway
    ) async throws -> MachineService.Described {
        try await gateway.machines.add(
            name: named(name), agentID: agentID.map { try named($0) }, organization: named("Acme"), site: named(site),
            tags: tags.map { try named($0) }, enrolmentLifetime: .seconds(600), by: gateway.admin
        ).machine
    }

    @Test func `a machine is shown as it was added, by agent_id and by id`() async throws {
        let gateway = try await TestGateway.make()
        let added = try await add("web", agentID: "Web:1", tags: ["b", "a", "b"], site: "Kiel", to: gateway)
        for name in ["Web:1", added.machine.id.text] {
            let shown = try await gateway.machines.show(name, by: gateway.admin)
            #expect(shown.machine == added.machine)
            #expect(shown.machine.tags.map(\.rawValue) == ["a", "b"])
            #expect(shown.lease == nil)
            #expect(!shown.connected)
        }
    }

    @Test func `a name or agent_id is given once`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await add("web", agentID: "w1", to: gateway)
        await #expect(throws: ControlError.nameTaken(field: "name")) { try await add("web", to: gateway) }
        await #expect(throws: ControlError.nameTaken(field: "agent_id")) {
            try await add("web2", agentID: "w1", to: gateway)
        }
        #expect(try await gateway.machines.list(MachineFilter(), by: gateway.admin).count == 1)
    }

    @Test func `of sixteen who add one name at once one succeeds`() async throws {
        let gateway = try await TestGateway.make()
        let successes = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<16 { group.addTask { (try? await add("web", to: gateway)) != nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(successes == 1)
    }

    @Test func `lists are narrowed by each filter and paged without gaps`() async throws {
        let gateway = try await TestGateway.make()
        for number in 0..<7 {
            _ = try await add("m\(number)", tags: number % 2 == 0 ? ["even"] : [], site: "s\(number % 3)", to: gateway)
            gateway.clock.advance(by: .seconds(number % 2))
        }
        func names(_ filter: MachineFilter) async throws -> [String] {
            try await gateway.machines.list(filter, by: gateway.admin).map(\.machine.name.rawValue)
        }
        #expect(try await names(MachineFilter(tag: "even")).sorted() == ["m0", "m2", "m4", "m6"])
        #expect(try await names(MachineFilter(site: "s1")).sorted() == ["m1", "m4"])
        #expect(try await names(MachineFilter(name: "m3")) == ["m3"])
        #expect(try await names(MachineFilter(organization: "Acme")).count == 7)
        #expect(try await names(MachineFilter(organization: "acme")).isEmpty)
        var walked: [String] = []
        var after: (createdAt: Timestamp, id: ID<Machine>)?
        while true {
            let page = try await gateway.machines.list(MachineFilter(after: after, limit: 2), by: gateway.admin)
            walked += page.map(\.machine.name.rawValue)
            guard page.count == 2, let last = page.last?.machine else { break }
            after = (last.createdAt, last.id)
        }
        #expect(walked.sorted() == (0..<7).map { "m\($0)" })
        #expect(walked.first == "m6")
    }

    @Test func `a patch changes what it names and is audited with what it changed`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await add("web", tags: ["old"], site: "Kiel", to: gateway)
        gateway.clock.advance(by: .seconds(5))
        let patched = try await gateway.machines.patch(
            "web", .init(name: named("www"), tags: [named("new")]), by: gateway.admin)
        #expect(patched.machine.name.rawValue == "www")
        #expect(patched.machine.agentID.rawValue == "web")
        #expect(patched.machine.site == "Kiel")
        #expect(patched.machine.tags.map(\.rawValue) == ["new"])
        #expect(patched.machine.updatedAt == gateway.clock.now)
        #expect(patched.machine == (try await gateway.machines.show("web", by: gateway.admin).machine))
        let event = try #require(
            try await AuditService(gateway.dependencies).events(
                AuditFilter(action: "machine.changed"), limit: 10, by: gateway.admin
            ).first)
        #expect(event.detailsJSON == #"{"name":"www","tags":"new"}"#)
        #expect(event.event.actor == "local-administrator")
    }

    @Test func `a patch that changes nothing is no event`() async throws {
        let gateway = try await TestGateway.make()
        let before = try await add("web", to: gateway)
        gateway.clock.advance(by: .seconds(5))
        let after = try await gateway.machines.patch(
            "web", .init(name: named("web"), organization: named("Acme"), tags: []), by: gateway.admin)
        #expect(after.machine == before.machine)
        #expect(!(try await gateway.auditedActions().contains("machine.changed")))
    }

    @Test func `a patch can't take another machine's name`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await add("web", to: gateway)
        _ = try await add("db", to: gateway)
        await #expect(throws: ControlError.nameTaken(field: "name")) {
            try await gateway.machines.patch("db", .init(name: named("web")), by: gateway.admin)
        }
        await #expect(throws: ControlError.machineNotFound) {
            try await gateway.machines.patch("nope", .init(), by: gateway.admin)
        }
    }

    @Test func `removing a machine ends its tunnel, every jump into it and all that was its own`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let db = try await gateway.enrol("db", controlKey: 2)
        let lease = try await gateway.register(web, key: 3)
        try await gateway.register(db, key: 4)
        try await gateway.addJump(5, to: ["web"])
        try await gateway.addJump(6, to: ["web", "db"])
        try await gateway.addJump(7, to: ["db"])
        for (key, pid) in [(3, 103), (4, 104), (5, 105), (6, 106), (7, 107)] as [(UInt64, Int32)] {
            #expect(try gateway.connect(key: key, pid: pid) != nil)
        }
        try await gateway.machines.remove("web", by: gateway.admin)
        #expect(Set(gateway.effects.ended.map(\.pid)) == [103, 105, 106])
        #expect(try gateway.connect(key: 3, pid: 1) == nil)
        #expect(try gateway.connect(key: 5, pid: 2) == nil)
        #expect(try gateway.connect(key: 6, pid: 3) != nil)
        #expect(try gateway.connect(key: 7, pid: 4) != nil)
        #expect(try await Authentication(gateway.dependencies).principal(bearer: web.key, source: "s") == nil)
        let rests = try await gateway.database.read { [identity = gateway.dependencies.identity] tx in
            try tx.restingPorts(on: identity.gateway, address: "127.0.0.1", at: Timestamp(seconds: 0))
        }
        #expect(rests.map(\.port) == [lease.port])
        await #expect(throws: ControlError.machineNotFound) {
            try await gateway.machines.show("web", by: gateway.admin)
        }
    }

    @Test func `removing twice is fine, removing what never was is not, and the name is free again`() async throws {
        let gateway = try await TestGateway.make()
        let first = try await add("web", to: gateway)
        try await gateway.machines.remove("web", by: gateway.admin)
        try await gateway.machines.remove("web", by: gateway.admin)
        try await gateway.machines.remove(first.machine.id.text, by: gateway.admin)
        await #expect(throws: ControlError.machineNotFound) {
            try await gateway.machines.remove("nope", by: gateway.admin)
        }
        let second = try await add("web", to: gateway)
        #expect(second.machine.id != first.machine.id)
        #expect(try await gateway.auditedActions().filter { $0 == "machine.removed" }.count == 1)
    }

    @Test func `a machine is connected while its key is held and its port listened on`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let lease = try await gateway.register(web, key: 2)
        func isConnected() async throws -> Bool {
            try await gateway.machines.show("web", by: gateway.admin).connected
        }
        #expect(try await !isConnected())
        let process = try #require(try gateway.connect(key: 2, pid: 1))
        #expect(try await !isConnected())
        gateway.effects.listen(on: [lease.port])
        #expect(try await isConnected())
        gateway.dependencies.keys.ended(process)
        #expect(try await !isConnected())
    }

    @Test func `machines of another tenant don't exist`() async throws {
        let gateway = try await TestGateway.make()
        let added = try await add("web", to: gateway)
        let stranger = Caller(principal: .localAdministrator(tenant: .random()), source: "s")
        for name in ["web", added.machine.id.text] {
            await #expect(throws: ControlError.machineNotFound) { try await gateway.machines.show(name, by: stranger) }
            await #expect(throws: ControlError.machineNotFound) {
                try await gateway.machines.remove(name, by: stranger)
            }
        }
        #expect(try await gateway.machines.list(MachineFilter(), by: stranger).isEmpty)
    }

    @Test func `a machine may manage nothing, not even itself`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        await #expect(throws: ControlError.forbidden) { try await gateway.machines.show("web", by: web.caller) }
        await #expect(throws: ControlError.forbidden) { try await gateway.machines.remove("web", by: web.caller) }
        await #expect(throws: ControlError.forbidden) {
            try await gateway.agentKeys.add(to: "web", label: named("added"), by: web.caller)
        }
        await #expect(throws: ControlError.forbidden) { try await gateway.addJump(9, to: ["web"], by: web.caller) }
        await #expect(throws: ControlError.forbidden) { try await gateway.tokens.list(by: web.caller) }
    }
}
