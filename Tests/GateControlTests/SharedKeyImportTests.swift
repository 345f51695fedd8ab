import GateControl
import GateModel
import GateSSH
import GateStore
import GateTesting
import Testing

@Suite struct SharedKeyImportTests {
    private func entry(
        _ gateway: TestGateway, _ name: String, port: Int, key: UInt64, left: Duration = .seconds(3_600)
    ) throws -> SharedKeyImport.Entry {
        SharedKeyImport.Entry(
            agentID: try named(name), port: port, publicKey: try SampleKeys.publicKey(key), lastSeen: gateway.clock.now,
            leaseUntil: gateway.clock.now + left)
    }

    private func run(
        _ gateway: TestGateway, _ entries: [SharedKeyImport.Entry], isTrial: Bool = false
    ) async throws -> SharedKeyImport.Report {
        try await SharedKeyImport(gateway.dependencies).run(entries, isTrial: isTrial, by: gateway.admin)
    }

    @Test func `agents keep port, lease and key`() async throws {
        let gateway = try await TestGateway.make()
        let list = [
            try entry(gateway, "one", port: 20_010, key: 1), try entry(gateway, "two", port: 20_011, key: 2),
            try entry(gateway, "gone", port: 20_012, key: 3, left: .seconds(-1)),
        ]
        let trial = try await run(gateway, list, isTrial: true)
        #expect(trial == .init(imported: 2, unchanged: 0, expired: 1, rsaKeys: 0))
        #expect(try await gateway.auditedActions().isEmpty)
        #expect(gateway.dependencies.ports.heldCount == 0)

        #expect(try await run(gateway, list) == trial)
        let grant = try KeyLookup(gateway.dependencies).grant(
            for: SampleKeys.publicKey(1).fingerprint, process: nil, source: "s")
        #expect(grant?.reach == .reverse(GatePort(address: "127.0.0.1", port: 20_010)))
        #expect(grant?.loginUntil == list[0].leaseUntil)
        #expect(gateway.dependencies.ports.heldCount == 2)

        // The same again changes nothing, also after an agent registered anew.
        let holder = SharedKeyHolder(number: 1, owner: [1], isOnly: false)
        let service = SharedKeyService(gateway.dependencies, leaseLifetime: .seconds(120))
        try await service.heartbeat(named("two"), by: holder, source: "a")
        let (_, lease) = try await service.register(
            named("one"), publicKey: SampleKeys.publicKey(9), by: holder, source: "a")
        #expect(lease.port == 20_010)
        #expect(try await run(gateway, list) == .init(imported: 0, unchanged: 2, expired: 1, rsaKeys: 0))
        // Whoever came first owns what nobody had claimed.
        let other = SharedKeyHolder(number: 2, owner: [2], isOnly: false)
        for name in ["one", "two"] {
            await #expect(throws: ControlError.forbidden) {
                try await service.heartbeat(named(name), by: other, source: "a")
            }
        }
    }

    @Test func `what doesn't fit is refused whole`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let taken = try await gateway.register(web, key: 2).port
        let good = try entry(gateway, "good", port: 20_050, key: 20)
        let before = try await gateway.storeContents()
        let bad: [[SharedKeyImport.Entry]] = [
            [try entry(gateway, "web", port: 20_051, key: 21)],
            [try entry(gateway, "x", port: taken, key: 21)],
            [try entry(gateway, "x", port: 19_999, key: 21)],
            [try entry(gateway, "x", port: 20_051, key: 2)],
            [try entry(gateway, "x", port: 20_050, key: 21)],
            [try entry(gateway, "x", port: 20_051, key: 20)],
            [try entry(gateway, "good", port: 20_051, key: 21)],
        ]
        for entries in bad {
            await #expect {
                try await run(gateway, [good] + entries)
            } throws: { error in
                if case ControlError.importRefused(let faults) = error { faults.count == 1 } else { false }
            }
        }
        #expect(try await gateway.storeContents() == before)
        #expect(try await run(gateway, [good]).imported == 1)
    }

    @Test func `only an administrator imports`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        await #expect(throws: ControlError.forbidden) {
            try await SharedKeyImport(gateway.dependencies).run([], isTrial: true, by: web.caller)
        }
    }
}
