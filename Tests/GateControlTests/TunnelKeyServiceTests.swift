import GateControl
import GateModel
import GateSSH
import GateStore
import GateTesting
import Testing

@Suite struct TunnelKeyServiceTests {
    @Test func `adding the same key again answers with the first, its times unchanged`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.add("web")
        _ = try await gateway.add("db")
        let first = try await gateway.addJump(1, to: ["web", "db"])
        gateway.clock.advance(by: .seconds(10))
        let second = try await gateway.addJump(1, to: ["db", "web", "db"], login: 60, connection: 60)
        #expect(first.isNew)
        #expect(!second.isNew)
        #expect(second.key == first.key)
        #expect(try await gateway.auditedActions().filter { $0 == "tunnel-key.added" }.count == 1)
    }

    @Test func `adding a key again that lets nobody in any more renews it`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.add("web")
        let first = try await gateway.addJump(1, to: ["web"], login: 60, connection: 600)
        gateway.clock.advance(by: .seconds(60))
        let second = try await gateway.addJump(1, to: ["web"], login: 60, connection: 120)
        #expect(!second.isNew)
        #expect(second.key.id == first.key.id)
        #expect(second.key.loginUntil == gateway.clock.now + .seconds(60))
        #expect(second.key.connectionUntil == gateway.clock.now + .seconds(120))
        #expect(try await gateway.auditedActions().contains("tunnel-key.renewed"))
    }

    @Test func `a key is taken for another owner, purpose or reach`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.enrol("web", controlKey: 1)
        _ = try await gateway.add("db")
        await #expect(throws: ControlError.keyTaken) { try await gateway.addJump(1, to: ["web"]) }
        try await gateway.addJump(2, to: ["web"])
        await #expect(throws: ControlError.keyTaken) { try await gateway.addJump(2, to: ["web", "db"]) }
        let user = try await gateway.userCaller()
        await #expect(throws: ControlError.keyTaken) { try await gateway.addJump(2, to: ["web"], by: user) }
    }

    @Test func `a key whose time is over may be registered again, by anybody`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.add("web")
        let first = try await gateway.addJump(1, to: ["web"], login: 60, connection: 120)
        gateway.clock.advance(by: .seconds(120))
        let user = try await gateway.userCaller()
        let second = try await gateway.addJump(1, to: ["web"], by: user)
        #expect(second.isNew)
        #expect(second.key.id != first.key.id)
    }

    @Test func `of sixteen who add one key at once one makes it`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.add("web")
        let new = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<16 { group.addTask { try await gateway.addJump(1, to: ["web"]).isNew } }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(new == 1)
    }

    @Test func `machines are named by agent_id, name or id, and must all exist`() async throws {
        let gateway = try await TestGateway.make()
        let (machine, _) = try await gateway.add("web")
        _ = try await gateway.machines.patch("web", .init(name: named("renamed")), by: gateway.admin)
        for (number, name) in ["web", "renamed", machine.id.text].enumerated() {
            let added = try await gateway.addJump(UInt64(number), to: [name])
            let shown = try await gateway.tunnelKeys.show(added.key.id, by: gateway.admin)
            #expect(shown.machines.map(\.machine.id) == [machine.id])
        }
        await #expect(throws: ControlError.machineNotFound) { try await gateway.addJump(9, to: ["web", "nope"]) }
        #expect(
            try await gateway.tunnelKeys.list(purpose: nil, machine: nil, after: nil, limit: 10, by: gateway.admin)
                .count == 3)
    }

    @Test func `revoking ends the connections, refuses the next login and may be repeated`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        try await gateway.register(web, key: 2)
        let key = try await gateway.addJump(3, to: ["web"]).key
        let process = try #require(try gateway.connect(key: 3, pid: 5))
        try await gateway.tunnelKeys.revoke(key.id, by: gateway.admin)
        #expect(gateway.effects.ended == [process])
        #expect(try gateway.connect(key: 3, pid: 6) == nil)
        try await gateway.tunnelKeys.revoke(key.id, by: gateway.admin)
        await #expect(throws: ControlError.tunnelKeyNotFound) {
            try await gateway.tunnelKeys.revoke(.random(), by: gateway.admin)
        }
        #expect(try await gateway.auditedActions().filter { $0 == "tunnel-key.revoked" }.count == 1)
        #expect(try await gateway.addJump(3, to: ["web"]).isNew)
    }

    @Test func `another tenant's keys don't exist`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.add("web")
        let key = try await gateway.addJump(1, to: ["web"]).key
        let stranger = Caller(principal: .localAdministrator(tenant: .random()), source: "s")
        await #expect(throws: ControlError.tunnelKeyNotFound) {
            try await gateway.tunnelKeys.show(key.id, by: stranger)
        }
        await #expect(throws: ControlError.tunnelKeyNotFound) {
            try await gateway.tunnelKeys.revoke(key.id, by: stranger)
        }
    }

    @Test func `lists are narrowed by purpose and machine`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        _ = try await gateway.enrol("db", controlKey: 2)
        try await gateway.register(web, key: 3)
        try await gateway.addJump(4, to: ["db"])
        func count(_ purpose: TunnelKey.Purpose?, _ machine: String?) async throws -> Int {
            try await gateway.tunnelKeys.list(
                purpose: purpose, machine: machine, after: nil, limit: 10, by: gateway.admin
            ).count
        }
        #expect(try await count(.jump, nil) == 1)
        #expect(try await count(.reverse, nil) == 1)
        #expect(try await count(nil, "db") == 2)
        #expect(try await count(.jump, "web") == 0)
        #expect(try await count(nil, "nope") == 0)
    }

    @Test func `one owner holds a bounded number of keys`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.add("web")
        let (tenant, now) = (gateway.dependencies.identity.tenant, gateway.clock.now)
        try await gateway.database.write { tx in
            for number in 0..<TunnelKeyService.limit {
                try tx.insertTunnelKey(
                    TunnelKey(
                        id: .random(), tenant: tenant, purpose: .jump, fingerprint: "SHA256:\(number)", publicKey: "x",
                        createdAt: now, loginUntil: now + .seconds(60), connectionUntil: now + .seconds(60)), reach: [])
            }
        }
        await #expect(throws: ControlError.self) { try await gateway.addJump(1, to: ["web"]) }
        gateway.clock.advance(by: .seconds(60))
        #expect(try await gateway.addJump(1, to: ["web"]).isNew)
    }
}
