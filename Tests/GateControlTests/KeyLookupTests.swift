import Dispatch
import GateControl
import GateModel
import GateSSH
import GateStore
import GateTesting
import Synchronization
import Testing

@Suite struct KeyLookupTests {
    private let label = Label(rawValue: "laptop")

    private func addJump(_ gateway: TestGateway, _ number: UInt64, to names: [String]) async throws -> TunnelKey {
        try await TunnelKeyService(gateway.dependencies).add(
            SampleKeys.publicKey(number), machines: names, label: #require(label), login: .seconds(600),
            connection: .seconds(1_200), by: gateway.admin
        ).key.key
    }

    @Test func `a reverse key may forward its machine's own port and nothing else`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let registration = RegistrationService(gateway.dependencies, leaseLifetime: .seconds(120))
        let lease = try await registration.register(gateway.report(key: 2), by: web.caller).lease
        let lookup = KeyLookup(gateway.dependencies)
        let grant = try #require(
            try lookup.grant(for: SampleKeys.publicKey(2).fingerprint, process: nil, source: "s"))
        #expect(grant.reach == .reverse(GatePort(address: "127.0.0.1", port: lease.port)))
        #expect(grant.loginUntil == lease.expiresAt)
        #expect(grant.machines == [web.machine.id])
    }

    @Test func `the second answer comes from memory`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.enrol("web", controlKey: 1)
        let lookup = KeyLookup(gateway.dependencies)
        let fingerprint = try SampleKeys.publicKey(1).fingerprint
        #expect(lookup.remembered(fingerprint, process: nil, source: "s") == nil)
        _ = try lookup.grant(for: fingerprint, process: nil, source: "s")
        let reads = gateway.database.reads
        #expect(try lookup.grant(for: fingerprint, process: nil, source: "s")?.reach == .control)
        #expect(lookup.remembered(fingerprint, process: nil, source: "s") != nil)
        #expect(gateway.database.reads == reads)
    }

    @Test func `an unknown key is refused, counted and leaves no process behind`() async throws {
        let gateway = try await TestGateway.make()
        let process = SSHProcess(pid: 7, startTime: 7)
        let grant = try KeyLookup(gateway.dependencies).grant(
            for: "SHA256:unknown", process: process, source: "192.0.2.9")
        #expect(grant == nil)
        #expect(!gateway.dependencies.keys.contains(process))
        #expect(gateway.dependencies.refusals.total == 1)
    }

    @Test func `a store that can't be asked is not a no`() async throws {
        let gateway = try await TestGateway.make()
        gateway.database.failReads(.transient("busy"))
        #expect(throws: KeyLookup.Failure.self) {
            try KeyLookup(gateway.dependencies).grant(for: "SHA256:x", process: nil, source: "s")
        }
        #expect(gateway.dependencies.refusals.total == 0)
    }

    @Test func `no login after a key's end, by memory or by store`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        _ = try await RegistrationService(gateway.dependencies, leaseLifetime: .seconds(9_000))
            .register(gateway.report(key: 2), by: web.caller)
        let key = try await addJump(gateway, 3, to: ["web"])
        let lookup = KeyLookup(gateway.dependencies)
        #expect(try lookup.grant(for: key.fingerprint, process: nil, source: "s") != nil)
        gateway.clock.advance(by: .seconds(600))
        #expect(try lookup.grant(for: key.fingerprint, process: nil, source: "s") == nil)
        // A connection that stands may go on until its own end.
        #expect(try await lookup.grant(for: key.id) != nil)
        gateway.clock.advance(by: .seconds(600))
        #expect(try await lookup.grant(for: key.id) == nil)
    }

    @Test func `a jump key reaches a machine as soon as it has a port`() async throws {
        let gateway = try await TestGateway.make()
        let (web, db) = (
            try await gateway.enrol("web", controlKey: 1), try await gateway.enrol("db", controlKey: 2)
        )
        let registration = RegistrationService(gateway.dependencies, leaseLifetime: .seconds(120))
        let first = try await registration.register(gateway.report(key: 3), by: web.caller).lease
        let key = try await addJump(gateway, 5, to: ["web", "db"])
        let lookup = KeyLookup(gateway.dependencies)
        let before = try lookup.grant(for: key.fingerprint, process: nil, source: "s")
        #expect(before?.reach == .jump([GatePort(address: "127.0.0.1", port: first.port)]))
        let second = try await registration.register(gateway.report(key: 4), by: db.caller).lease
        let after = try #require(try lookup.grant(for: key.fingerprint, process: nil, source: "s"))
        guard case .jump(let ports) = after.reach else {
            Issue.record("not a jump")
            return
        }
        #expect(Set(ports.map(\.port)) == [first.port, second.port])
    }

    @Test func `a jump key to machines without a port opens nothing`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.add("web")
        let key = try await addJump(gateway, 5, to: ["web"])
        #expect(try KeyLookup(gateway.dependencies).grant(for: key.fingerprint, process: nil, source: "s") == nil)
    }

    @Test func `a revoke that lands between the read and its use is seen, and its process is ended`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let fingerprint = try SampleKeys.publicKey(1).fingerprint
        let process = SSHProcess(pid: 11, startTime: 1)
        let (hasRead, mayGoOn) = (AsyncStream<Void>.makeStream(), DispatchSemaphore(value: 0))
        let isFirst = Mutex(true)
        gateway.database.afterEachBlockingRead {
            guard
                isFirst.withLock({ value in
                    defer { value = false }; return value
                })
            else { return }
            hasRead.continuation.yield()
            mayGoOn.wait()
        }
        let answer = AsyncStream<Result<KeyGrant?, any Error>>.makeStream()
        // A thread of its own: the lookup blocks while the revoke runs.
        DispatchQueue(label: "lookup").async {
            answer.continuation.yield(
                Result {
                    try KeyLookup(gateway.dependencies).grant(for: fingerprint, process: process, source: "s")
                })
        }
        for await _ in hasRead.stream { break }
        try await AgentKeyService(gateway.dependencies).revoke(web.keyID, of: "web", by: gateway.admin)
        #expect(gateway.effects.ended == [process])
        mayGoOn.signal()
        for await result in answer.stream {
            #expect(try result.get() == nil)
            break
        }
    }

    @Test func `the list for sshd's file holds what may log in now`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let lookup = KeyLookup(gateway.dependencies)
        #expect(try await lookup.allGrants().map(\.reach) == [.control])
        _ = try await RegistrationService(gateway.dependencies, leaseLifetime: .seconds(120))
            .register(gateway.report(key: 2), by: web.caller)
        _ = try await addJump(gateway, 3, to: ["web"])
        #expect(Set(try await lookup.allGrants().map(\.reach.purpose)) == [.reverse, .jump])
        try await MachineService(gateway.dependencies).remove("web", by: gateway.admin)
        #expect(try await lookup.allGrants().isEmpty)
    }
}
