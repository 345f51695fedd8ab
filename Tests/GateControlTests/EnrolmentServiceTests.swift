import GateControl
import GateModel
import GateSSH
import GateStore
import GateTesting
import Testing

@Suite struct EnrolmentServiceTests {
    private func enrol(
        _ gateway: TestGateway, _ token: String, key: UInt64, agentID: String? = nil
    ) async throws -> (machine: Machine, key: AgentKey, text: Secret<String>) {
        try await gateway.enrolments.enrol(
            bearer: token, publicKey: SampleKeys.publicKey(key), agentID: agentID.map { try named($0) },
            source: "198.51.100.1")
    }

    @Test func `of sixteen who bring one token at once one gets the key`() async throws {
        let gateway = try await TestGateway.make()
        let (_, token) = try await gateway.add("web")
        let results = await withTaskGroup(of: Result<String, any Error>.self) { group in
            for number in 0..<16 {
                group.addTask {
                    do {
                        return .success(try await enrol(gateway, token, key: UInt64(number)).text.reveal())
                    } catch {
                        return .failure(error)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        let keys = results.compactMap { try? $0.get() }
        #expect(keys.count == 1)
        for result in results {
            if case .failure(let error) = result { #expect(error as? ControlError == .enrolmentRefused) }
        }
        #expect(try await gateway.agentKeys.list(of: "web", by: gateway.admin).count == 1)
        #expect(gateway.dependencies.refusals.total == 15)
    }

    @Test func `a lost answer may be asked for again with the same key, and voids the one before`() async throws {
        let gateway = try await TestGateway.make()
        let (_, token) = try await gateway.add("web")
        let first = try await enrol(gateway, token, key: 1)
        gateway.clock.advance(by: EnrolmentService.repeatWindow - .seconds(1))
        let second = try await enrol(gateway, token, key: 1)
        #expect(second.key.id != first.key.id)
        let authentication = Authentication(gateway.dependencies)
        #expect(try await authentication.principal(bearer: first.text.reveal(), source: "s") == nil)
        #expect(try await authentication.principal(bearer: second.text.reveal(), source: "s") != nil)
        #expect(try gateway.connect(key: 1, pid: 1) != nil)
    }

    @Test func `sixteen repeats at once leave one living key`() async throws {
        let gateway = try await TestGateway.make()
        let (_, token) = try await gateway.add("web")
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<16 { group.addTask { _ = try? await enrol(gateway, token, key: 1) } }
        }
        let keys = try await gateway.agentKeys.list(of: "web", by: gateway.admin)
        #expect(keys.filter { $0.revokedAt == nil }.count == 1)
    }

    @Test func `a repeat is refused with another key, too late, or once the key was used`() async throws {
        let gateway = try await TestGateway.make()
        let (_, token) = try await gateway.add("web")
        let bought = try await enrol(gateway, token, key: 1)
        await #expect(throws: ControlError.enrolmentRefused) { try await enrol(gateway, token, key: 2) }
        _ = try await Authentication(gateway.dependencies).principal(bearer: bought.text.reveal(), source: "s")
        try await gateway.flush()
        await #expect(throws: ControlError.enrolmentRefused) { try await enrol(gateway, token, key: 1) }

        let (_, late) = try await gateway.add("db")
        _ = try await enrol(gateway, late, key: 3)
        gateway.clock.advance(by: EnrolmentService.repeatWindow)
        await #expect(throws: ControlError.enrolmentRefused) { try await enrol(gateway, late, key: 3) }
    }

    @Test func `a key that a repeat replaced is refused even if it was remembered`() async throws {
        let gateway = try await TestGateway.make()
        let (_, token) = try await gateway.add("web")
        let first = try await enrol(gateway, token, key: 1)
        let authentication = Authentication(gateway.dependencies)
        // Remembered, while the store doesn't know of the use yet.
        #expect(try await authentication.principal(bearer: first.text.reveal(), source: "s") != nil)
        _ = try await enrol(gateway, token, key: 1)
        #expect(try await authentication.principal(bearer: first.text.reveal(), source: "s") == nil)
    }

    @Test func `a token is for its own machine`() async throws {
        let gateway = try await TestGateway.make()
        let (_, token) = try await gateway.add("web")
        await #expect(throws: ControlError.self) { try await enrol(gateway, token, key: 1, agentID: "db") }
        // The refusal didn't use the token up.
        #expect(try await enrol(gateway, token, key: 1, agentID: "web").machine.agentID.rawValue == "web")
    }

    @Test func `a token ends with its time, its machine and its revocation`() async throws {
        let gateway = try await TestGateway.make()
        let (_, expired) = try await gateway.add("expired")
        gateway.clock.advance(by: .seconds(3_600))
        await #expect(throws: ControlError.enrolmentRefused) { try await enrol(gateway, expired, key: 1) }
        let (_, orphaned) = try await gateway.add("orphaned")
        try await gateway.machines.remove("orphaned", by: gateway.admin)
        await #expect(throws: ControlError.enrolmentRefused) { try await enrol(gateway, orphaned, key: 1) }
        let (_, revoked) = try await gateway.add("revoked")
        let id = try #require(try await gateway.enrolments.list(of: "revoked", by: gateway.admin).first?.id)
        try await gateway.enrolments.revoke(id, of: "revoked", by: gateway.admin)
        await #expect(throws: ControlError.enrolmentRefused) { try await enrol(gateway, revoked, key: 1) }
    }

    @Test(arguments: ["", "tge_x", "tgp_" + CredentialText.body, "tge_" + CredentialText.body])
    func `what isn't an enrolment token buys nothing`(bearer: String) async throws {
        let gateway = try await TestGateway.make()
        await #expect(throws: ControlError.enrolmentRefused) { try await enrol(gateway, bearer, key: 1) }
        #expect(gateway.dependencies.refusals.total == 1)
    }

    @Test func `a public key that is somebody's already is refused and the token stays good`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.enrol("web", controlKey: 1)
        let (_, token) = try await gateway.add("db")
        await #expect(throws: ControlError.keyTaken) { try await enrol(gateway, token, key: 1) }
        _ = try await enrol(gateway, token, key: 2)
    }

    @Test func `revoking a used token takes back what it bought`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        try await gateway.register(web, key: 2)
        let process = try #require(try gateway.connect(key: 2, pid: 9))
        let id = try #require(try await gateway.enrolments.list(of: "web", by: gateway.admin).first?.id)
        try await gateway.enrolments.revoke(id, of: "web", by: gateway.admin)
        #expect(gateway.effects.ended == [process])
        #expect(try await Authentication(gateway.dependencies).principal(bearer: web.key, source: "s") == nil)
        #expect(try gateway.connect(key: 2, pid: 10) == nil)
        try await gateway.enrolments.revoke(id, of: "web", by: gateway.admin)
        await #expect(throws: ControlError.enrolmentNotFound) {
            try await gateway.enrolments.revoke(.random(), of: "web", by: gateway.admin)
        }
    }

    @Test func `a machine has at most ten unused tokens`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.add("web")
        for _ in 1..<EnrolmentService.tokenLimit {
            _ = try await gateway.enrolments.add(to: "web", lifetime: .seconds(60), by: gateway.admin)
        }
        await #expect(throws: ControlError.self) {
            try await gateway.enrolments.add(to: "web", lifetime: .seconds(60), by: gateway.admin)
        }
        gateway.clock.advance(by: .seconds(60))
        _ = try await gateway.enrolments.add(to: "web", lifetime: .seconds(60), by: gateway.admin)
    }
}
