import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

@Suite struct TokenServiceTests {
    @Test func `a user sees and revokes their own tokens`() async throws {
        let gateway = try await TestGateway.make()
        let user = try await gateway.userCaller()
        let (token, text) = try await gateway.tokens.add(wish("ci"), by: user)
        #expect(Set(try await gateway.tokens.list(by: user).map(\.label)) == ["bootstrap", "ci"])
        let authentication = Authentication(gateway.dependencies)
        #expect(try await authentication.principal(bearer: text.reveal(), source: "s") != nil)
        try await gateway.tokens.revoke(token.id, by: user)
        try await gateway.tokens.revoke(token.id, by: user)
        #expect(try await authentication.principal(bearer: text.reveal(), source: "s") == nil)
        await #expect(throws: ControlError.tokenNotFound) { try await gateway.tokens.revoke(.random(), by: user) }
        #expect(try await gateway.auditedActions().filter { $0 == "token.revoked" }.count == 1)
    }

    @Test func `a user holds at most a hundred living tokens`() async throws {
        let gateway = try await TestGateway.make()
        let user = try await gateway.userCaller()
        guard case .user(let owner, _, _) = user.principal else { return }
        let now = gateway.clock.now
        try await gateway.database.write { tx in
            for number in 1..<TokenService.limit {
                try tx.insertToken(
                    AccessToken(
                        id: .random(), tenant: owner.tenant, user: owner.id, label: "", createdAt: now,
                        expiresAt: now + .seconds(60), lifetime: .seconds(60)),
                    digest: CredentialDigest(of: "\(number)"))
            }
        }
        await #expect(throws: ControlError.self) {
            try await gateway.tokens.add(wish("one-more"), by: user)
        }
        gateway.clock.advance(by: .seconds(60))
        _ = try await gateway.tokens.add(wish("one-more"), by: user)
    }

    @Test func `the operator's tokens act for the first administrator, who must exist`() async throws {
        let gateway = try await TestGateway.make()
        await #expect(throws: ControlError.userNotFound) {
            try await gateway.tokens.add(wish("x"), by: gateway.admin)
        }
        let user = try await gateway.userCaller()
        let (token, _) = try await gateway.tokens.add(wish("x"), by: gateway.admin)
        try await gateway.tokens.revoke(token.id, by: user)
    }
}
