import GateControl
import GateModel
import GateSSH
import GateStore
import GateTesting
import Testing

@Suite struct SharedKeyServiceTests {
    private let ours = SharedKeyHolder(number: 1, owner: [1], isOnly: false)
    private let others = SharedKeyHolder(number: 2, owner: [2], isOnly: false)

    private func service(_ gateway: TestGateway) -> SharedKeyService {
        SharedKeyService(gateway.dependencies, leaseLifetime: .seconds(120))
    }

    @discardableResult
    private func register(
        _ gateway: TestGateway, _ name: String, key: UInt64, by holder: SharedKeyHolder? = nil,
        from source: String = "a"
    ) async throws -> Lease {
        try await service(gateway).register(
            named(name), publicKey: SampleKeys.publicKey(key), by: holder ?? ours, source: source
        ).lease
    }

    private func beat(_ gateway: TestGateway, _ name: String, by holder: SharedKeyHolder? = nil) async throws {
        try await service(gateway).heartbeat(named(name), by: holder ?? ours, source: "a")
    }

    /// The key logs in: asks, and sshd says that it was let in.
    @discardableResult
    private func logIn(_ gateway: TestGateway, key: UInt64, pid: Int32) throws -> Bool {
        let lookup = KeyLookup(gateway.dependencies)
        let process = SSHProcess(pid: pid, startTime: 1)
        guard
            let grant = try lookup.grant(
                for: SampleKeys.publicKey(key).fingerprint, process: process, source: "192.0.2.\(pid)")
        else { return false }
        lookup.loggedIn(grant, process: process)
        return true
    }

    private func until(_ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while try await !condition() {
            try #require(ContinuousClock.now < deadline)
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test func `the port stays and the machine has a name of its own`() async throws {
        let gateway = try await TestGateway.make()
        let first = try await register(gateway, "Edge_7.local:9", key: 1)
        let again = try await register(gateway, "Edge_7.local:9", key: 2)
        #expect(first.port == again.port)
        #expect(again.generation == first.generation + 1)
        let machine = try await gateway.machines.show("Edge_7.local:9", by: gateway.admin)
        #expect(machine.machine.name.rawValue == "edge-7-local-9")
        try await register(gateway, "edge-7-local-9", key: 3)
        let other = try await gateway.machines.show("edge-7-local-9", by: gateway.admin)
        #expect(other.machine.name.rawValue.hasPrefix("edge-7-local-9-"))
    }

    @Test func `an agent without an id gets one`() async throws {
        let gateway = try await TestGateway.make()
        let (agentID, _) = try await service(gateway).register(
            nil, publicKey: SampleKeys.publicKey(1), by: ours, source: "a")
        #expect(ID<Machine>(agentID.rawValue) != nil)
    }

    @Test func `every key is good until a newer one logged in`() async throws {
        let gateway = try await TestGateway.make()
        for key in 1...3 { try await register(gateway, "box", key: UInt64(key)) }
        #expect(try logIn(gateway, key: 1, pid: 1))
        #expect(try logIn(gateway, key: 2, pid: 2))
        try await until { gateway.effects.ended.contains(SSHProcess(pid: 1, startTime: 1)) }
        try await until { try !logIn(gateway, key: 1, pid: 10) }
        #expect(try logIn(gateway, key: 2, pid: 20))
        #expect(try logIn(gateway, key: 3, pid: 3))
        try await until { gateway.effects.ended.contains(SSHProcess(pid: 2, startTime: 1)) }
        #expect(try await gateway.auditedActions().contains("tunnel-key.superseded"))
    }

    @Test func `a heartbeat moves the lease, and says unknown to who goes on with a superseded key`() async throws {
        let gateway = try await TestGateway.make()
        try await register(gateway, "box", key: 1)
        try await beat(gateway, "box")
        #expect(try logIn(gateway, key: 1, pid: 1))
        try await register(gateway, "box", key: 2)
        #expect(try logIn(gateway, key: 2, pid: 2))
        try await until { try await gateway.auditedActions().contains("tunnel-key.superseded") }
        // Superseded, and nobody minds: an agent that was restarted.
        try await beat(gateway, "box")
        // The event is there with the commit, and what is remembered is dropped after it.
        try await until { try !logIn(gateway, key: 1, pid: 3) }
        await #expect(throws: ControlError.machineNotFound) { try await beat(gateway, "box") }
        try await register(gateway, "box", key: 3)
        try await beat(gateway, "box")
        // Past its end, and still nobody else's.
        gateway.clock.advance(by: .seconds(200))
        try await beat(gateway, "box")
        gateway.clock.advance(by: .seconds(200))
        try await LeaseSweep(gateway.dependencies).run()
        await #expect(throws: ControlError.machineNotFound) { try await beat(gateway, "box") }
    }

    @Test func `an agent id belongs to its first key`() async throws {
        let gateway = try await TestGateway.make()
        try await register(gateway, "box", key: 1)
        await #expect(throws: ControlError.forbidden) { try await register(gateway, "box", key: 2, by: others) }
        await #expect(throws: ControlError.forbidden) { try await beat(gateway, "box", by: others) }
        // The only key there is may go on where an earlier one was.
        let only = SharedKeyHolder(number: 1, owner: [3], isOnly: true)
        try await register(gateway, "box", key: 3, by: only)
        #expect(try await gateway.auditedActions().contains("machine.shared-key-changed"))
        await #expect(throws: ControlError.forbidden) { try await register(gateway, "box", key: 4) }
    }

    @Test func `a place taken from elsewhere is audited`() async throws {
        let gateway = try await TestGateway.make()
        try await register(gateway, "box", key: 1, from: "192.0.2.1")
        try await register(gateway, "box", key: 2, from: "192.0.2.1")
        #expect(try await !gateway.auditedActions().contains("machine.taken-over"))
        try await register(gateway, "box", key: 3, from: "192.0.2.2")
        #expect(try await gateway.auditedActions().contains("machine.taken-over"))
    }

    @Test func `native machines are never taken`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        _ = try await gateway.add("new")
        for name in ["web", "new", web.machine.id.text] {
            await #expect(throws: ControlError.agentIDTaken) { try await register(gateway, name, key: 2) }
        }
        // One that leaves the dialect by being enrolled is out of its reach from then on.
        try await register(gateway, "box", key: 3)
        let (_, text) = try await gateway.enrolments.add(to: "box", lifetime: .seconds(900), by: gateway.admin)
        _ = try await gateway.enrolments.enrol(
            bearer: text.reveal(), publicKey: SampleKeys.publicKey(4), agentID: nil, source: "a")
        await #expect(throws: ControlError.agentIDTaken) { try await register(gateway, "box", key: 5) }
        await #expect(throws: ControlError.machineNotFound) { try await beat(gateway, "box") }
    }

    @Test func `a stranger on the port is left alone and the agent gets another one`() async throws {
        let gateway = try await TestGateway.make()
        let first = try await register(gateway, "box", key: 1)
        gateway.effects.hold(first.port, by: .stranger(uid: 7))
        #expect(try await register(gateway, "box", key: 2).port != first.port)
        #expect(gateway.effects.ended.isEmpty)
        // Our own sshd on it is the agent's earlier tunnel.
        let second = try await register(gateway, "box", key: 3)
        gateway.effects.hold(second.port, by: .ownSSHD)
        #expect(try await register(gateway, "box", key: 4).port == second.port)
    }

    @Test func `parallel registrations of one id share one port`() async throws {
        let gateway = try await TestGateway.make()
        let ports = try await withThrowingTaskGroup(of: Int.self) { group in
            for key in 1...16 { group.addTask { try await register(gateway, "box", key: UInt64(key)).port } }
            return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        #expect(ports.count == 1)
        #expect(gateway.dependencies.ports.heldCount == 1)
        for key in 1...16 {
            let fingerprint = try SampleKeys.publicKey(UInt64(key)).fingerprint
            #expect(try KeyLookup(gateway.dependencies).grant(for: fingerprint, process: nil, source: "s") != nil)
        }
    }

    @Test func `keys nobody uses are bounded, and the one in use is spared`() async throws {
        let gateway = try await TestGateway.make()
        for key in 1...300 { try await register(gateway, "box", key: UInt64(key)) }
        let lookup = KeyLookup(gateway.dependencies)
        func isGood(_ key: UInt64) throws -> Bool {
            try lookup.grant(for: SampleKeys.publicKey(key).fingerprint, process: nil, source: "s") != nil
        }
        #expect(try isGood(1) && isGood(300) && isGood(200))
        #expect(try !isGood(2))
    }

    @Test func `a refused write gives the port back`() async throws {
        let gateway = try await TestGateway.make()
        gateway.database.failWrites(.full("disk"))
        await #expect(throws: StoreError.full("disk")) { try await register(gateway, "box", key: 1) }
        #expect(gateway.dependencies.ports.heldCount == 0)
        gateway.database.failWrites(nil)
        try await register(gateway, "box", key: 1)
    }
}
