import GateControl
import GateModel
import GateTesting
import Testing

@Suite struct SetupServiceTests {
    @Test func `an empty store needs an administrator until somebody redeemed the secret`() async throws {
        let gateway = try await TestGateway.make()
        let setup = SetupService(gateway.dependencies)
        #expect(try await setup.needsAdministrator())
        #expect(try await setup.needsAdministrator())
        let secret = try await setup.makeSecret().reveal()
        let (_, text) = try await setup.redeem(secret, source: "s")
        #expect(try await Authentication(gateway.dependencies).principal(bearer: text.reveal(), source: "s") != nil)
        #expect(try await !setup.needsAdministrator())
        #expect(try await gateway.auditedActions().sorted() == ["setup.offered", "token.added", "user.added"])
    }

    @Test func `of sixteen who bring the secret at once one gets a token`() async throws {
        let gateway = try await TestGateway.make()
        let setup = SetupService(gateway.dependencies)
        _ = try await setup.needsAdministrator()
        let secret = try await setup.makeSecret().reveal()
        let successes = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<16 { group.addTask { (try? await setup.redeem(secret, source: "s")) != nil } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(successes == 1)
    }

    @Test func `a secret ends after a day, and with the next one`() async throws {
        let gateway = try await TestGateway.make()
        let setup = SetupService(gateway.dependencies)
        _ = try await setup.needsAdministrator()
        let replaced = try await setup.makeSecret().reveal()
        let expired = try await setup.makeSecret().reveal()
        await #expect(throws: ControlError.setupRefused) { try await setup.redeem(replaced, source: "s") }
        gateway.clock.advance(by: SetupService.secretLifetime)
        for secret in [expired, "", "tgi_x", "tgi_" + CredentialText.body, "tgp_" + CredentialText.body] {
            await #expect(throws: ControlError.setupRefused) { try await setup.redeem(secret, source: "s") }
        }
        #expect(gateway.dependencies.refusals.total == 6)
    }

    @Test func `when every token of the administrator is over, one is needed again`() async throws {
        let gateway = try await TestGateway.make()
        let setup = SetupService(gateway.dependencies)
        _ = try await gateway.administratorToken()
        #expect(try await !setup.needsAdministrator())
        gateway.clock.advance(by: SetupService.bootstrapLifetime)
        #expect(try await setup.needsAdministrator())
    }
}
