import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

/// Grants decide who sees a machine, whose key gets a line for it, and whose connection goes on.
@Suite struct GrantServiceTests {
    private func gatewayWithMachines() async throws -> TestGateway {
        let gateway = try await TestGateway.make()
        _ = try await gateway.userCaller()
        for (number, name) in ["web", "db"].enumerated() {
            let machine = try await gateway.enrol(name, controlKey: UInt64(number + 1))
            try await gateway.register(machine, key: UInt64(number + 11))
        }
        return gateway
    }

    @Test func `without a grant a machine is unknown; with one that only shows it, it isn't reached`() async throws {
        let gateway = try await gatewayWithMachines()
        let (ada, _) = try await gateway.add(user: "ada", role: .viewer)
        await #expect(throws: ControlError.machineNotFound) { try await gateway.machines.show("web", by: ada) }
        await #expect(throws: ControlError.machineNotFound) { try await gateway.addJump(50, to: ["web"], by: ada) }
        _ = try await gateway.grant("ada", on: "web", modes: [.view])
        #expect(try await gateway.machines.show("web", by: ada).machine.name.rawValue == "web")
        #expect(
            try await gateway.machines.list(.init(), by: ada).map(\.machine.name.rawValue) == ["web"])
        await #expect(throws: ControlError.notGranted(machine: "web")) {
            try await gateway.addJump(50, to: ["web"], by: ada)
        }
        _ = try await gateway.grant("ada", on: "web")
        _ = try await gateway.addJump(50, to: ["web"], by: ada)
        #expect(try gateway.connect(key: 50, pid: 1) != nil)
    }

    @Test func `a withdrawn grant ends the connections it allowed, and no others`() async throws {
        let gateway = try await gatewayWithMachines()
        let (ada, _) = try await gateway.add(user: "ada", role: .viewer)
        let (web, db) = (try await gateway.grant("ada", on: "web"), try await gateway.grant("ada", on: "db"))
        let second = try await gateway.grant("ada", on: "db")
        _ = try await gateway.addJump(50, to: ["web"], by: ada)
        _ = try await gateway.addJump(51, to: ["db"], by: ada)
        _ = try await gateway.addJump(52, to: ["web", "db"], by: ada)
        let toWeb = try #require(try gateway.connect(key: 50, pid: 1))
        let toDB = try #require(try gateway.connect(key: 51, pid: 2))
        let toBoth = try #require(try gateway.connect(key: 52, pid: 3))
        // Another grant still allows it.
        try await gateway.grants.withdraw(db, by: gateway.admin)
        #expect(gateway.effects.ended.isEmpty)
        try await gateway.grants.withdraw(web, by: gateway.admin)
        #expect(Set(gateway.effects.ended) == [toWeb, toBoth])
        #expect(gateway.dependencies.keys.contains(toDB))
        #expect(try gateway.connect(key: 50, pid: 4) == nil)
        #expect(try gateway.connect(key: 52, pid: 5) != nil)
        try await gateway.grants.withdraw(second, by: gateway.admin)
        try await gateway.grants.withdraw(second, by: gateway.admin)
        #expect(try gateway.connect(key: 52, pid: 6) == nil)
        #expect(try await gateway.auditedActions().filter { $0 == "grant.withdrawn" }.count == 3)
    }

    @Test func `a grant ends with its time, for the next login by itself and for live ones by the sweep`() async throws
    {
        let gateway = try await gatewayWithMachines()
        let (ada, _) = try await gateway.add(user: "ada", role: .viewer)
        _ = try await gateway.grant("ada", on: "web", lifetime: .seconds(60))
        _ = try await gateway.addJump(50, to: ["web"], by: ada)
        let process = try #require(try gateway.connect(key: 50, pid: 1))
        gateway.clock.advance(by: .seconds(60))
        #expect(try gateway.connect(key: 50, pid: 2) == nil)
        #expect(try await LeaseSweep(gateway.dependencies).run() == 1)
        #expect(gateway.effects.ended.contains(process))
        #expect(try await gateway.auditedActions().contains("grant.expired"))
    }

    @Test func `a disabled user, a dropped role and a moved machine end what they allowed`() async throws {
        let gateway = try await gatewayWithMachines()
        let (ada, text) = try await gateway.add(user: "ada", role: .admin)
        _ = try await gateway.addJump(50, to: ["web"], by: ada)
        let first = try #require(try gateway.connect(key: 50, pid: 1))
        _ = try await gateway.users.patch(named("ada"), .init(role: .viewer), by: gateway.admin)
        #expect(gateway.effects.ended == [first])
        _ = try await gateway.machines.patch("web", .init(tags: [named("prod")]), by: gateway.admin)
        _ = try await gateway.grants.add(
            to: .role(.viewer), on: .tag(named("prod")), modes: [.ssh], logins: [], lifetime: nil, by: gateway.admin)
        let second = try #require(try gateway.connect(key: 50, pid: 2))
        _ = try await gateway.machines.patch("web", .init(tags: []), by: gateway.admin)
        #expect(gateway.effects.ended == [first, second])
        _ = try await gateway.machines.patch("web", .init(tags: [named("prod")]), by: gateway.admin)
        let third = try #require(try gateway.connect(key: 50, pid: 3))
        _ = try await gateway.users.patch(named("ada"), .init(isDisabled: true), by: gateway.admin)
        #expect(gateway.effects.ended == [first, second, third])
        #expect(try await Authentication(gateway.dependencies).principal(bearer: text, source: "s") == nil)
        #expect(try gateway.connect(key: 50, pid: 4) == nil)
    }

    @Test func `a login that races a withdrawal is refused or ended`() async throws {
        for _ in 0..<8 {
            let gateway = try await gatewayWithMachines()
            let (ada, _) = try await gateway.add(user: "ada", role: .viewer)
            let grant = try await gateway.grant("ada", on: "web")
            _ = try await gateway.addJump(50, to: ["web"], by: ada)
            async let login = Task.detached { try gateway.connect(key: 50, pid: 1) }.value
            try await gateway.grants.withdraw(grant, by: gateway.admin)
            if let process = try await login { #expect(gateway.effects.ended.contains(process)) }
            #expect(try gateway.connect(key: 50, pid: 2) == nil)
        }
    }

    @Test func `a store that fails after the commit leaves nobody connected who shouldn't be`() async throws {
        let gateway = try await gatewayWithMachines()
        let (ada, _) = try await gateway.add(user: "ada", role: .viewer)
        let grant = try await gateway.grant("ada", on: "web")
        _ = try await gateway.addJump(50, to: ["web"], by: ada)
        let process = try #require(try gateway.connect(key: 50, pid: 1))
        gateway.database.failReads(.transient("busy"))
        await #expect(throws: (any Error).self) { try await gateway.grants.withdraw(grant, by: gateway.admin) }
        gateway.database.failReads(nil)
        _ = try await LeaseSweep(gateway.dependencies).run()
        #expect(gateway.effects.ended.contains(process))
        #expect(try gateway.connect(key: 50, pid: 2) == nil)
    }

    @Test func `the last administrator can't be lost, and a person gets no program's role`() async throws {
        let gateway = try await TestGateway.make()
        let admin = try await gateway.userCaller()
        for patch in [UserService.Patch(isDisabled: true), UserService.Patch(role: .viewer)] {
            await #expect(throws: ControlError.lastAdministrator) {
                try await gateway.users.patch(named("admin"), patch, by: admin)
            }
        }
        await #expect(throws: ControlError.self) {
            try await gateway.users.add(name: named("x"), kind: .person, role: .drain, allowFrom: [], by: admin)
        }
        _ = try await gateway.add(user: "ada", role: .admin)
        _ = try await gateway.users.patch(named("admin"), .init(role: .viewer), by: admin)
        #expect(try await gateway.users.show(named("admin"), by: gateway.admin).role == .viewer)
    }

    @Test func `a check explains its answer and says where a login isn't enforced`() async throws {
        let gateway = try await gatewayWithMachines()
        let (ada, _) = try await gateway.add(user: "ada", role: .viewer)
        let (eve, _) = try await gateway.add(user: "eve", role: .viewer)
        _ = try await gateway.grants.add(
            to: .user(named("ada")), on: .machine("web"), modes: [.ssh], logins: [named("deploy")], lifetime: nil,
            by: gateway.admin)
        func check(_ login: String?, by caller: Caller? = nil) async throws -> GrantService.Check {
            try await gateway.grants.check(
                named("ada"), on: "web", mode: .ssh, login: login.map { try named($0) }, by: caller ?? gateway.admin)
        }
        #expect(try await check("deploy").decision.reason == .granted)
        let refused = try await check("root", by: ada)
        #expect(refused.decision.reason == .otherLogin)
        #expect(!refused.enforcesLogin)
        #expect(refused.grants.count == 1)
        await #expect(throws: ControlError.forbidden) { try await check(nil, by: eve) }
        await #expect(throws: ControlError.machineNotFound) {
            try await gateway.grants.check(named("eve"), on: "web", mode: .ssh, login: nil, by: eve)
        }
    }

    @Test func `keys are their owner's`() async throws {
        let gateway = try await gatewayWithMachines()
        let (ada, _) = try await gateway.add(user: "ada", role: .viewer)
        let (eve, _) = try await gateway.add(user: "eve", role: .viewer)
        _ = try await gateway.grant("ada", on: "web")
        let key = try await gateway.addJump(50, to: ["web"], by: ada).key
        #expect(
            try await gateway.tunnelKeys.list(purpose: nil, machine: nil, after: nil, limit: 10, by: ada)
                .map(\.key.id) == [key.id])
        #expect(
            try await gateway.tunnelKeys.list(purpose: nil, machine: nil, after: nil, limit: 10, by: eve).isEmpty)
        await #expect(throws: ControlError.tunnelKeyNotFound) { try await gateway.tunnelKeys.show(key.id, by: eve) }
        await #expect(throws: ControlError.tunnelKeyNotFound) { try await gateway.tunnelKeys.revoke(key.id, by: eve) }
        try await gateway.tunnelKeys.revoke(key.id, by: gateway.admin)
    }
}
