import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

/// What a token may become: never wider, never somebody else's, never older than it may.
@Suite struct TokenScopeTests {
    @Test func `a narrow token makes no wider one`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.userCaller()
        let text = try await gateway.tokens.add(
            wish("narrow", scopes: [.tokens, .machinesRead], from: ["192.0.2.0/24"]), by: gateway.admin
        ).text.reveal()
        let narrow = try await gateway.caller(text)
        await #expect(throws: ControlError.self) {
            try await gateway.tokens.add(wish("wide", scopes: .machinesWrite), by: narrow)
        }
        await #expect(throws: ControlError.self) {
            try await gateway.tokens.add(wish("elsewhere", from: ["0.0.0.0/0"]), by: narrow)
        }
        let child = try await gateway.tokens.add(wish("child"), by: narrow).token
        #expect(child.scopes == [.tokens, .machinesRead])
        #expect(child.allowFrom == ["192.0.2.0/24"])
        #expect(
            try await gateway.tokens.add(wish("inner", from: ["192.0.2.128/25"]), by: narrow).token.allowFrom
                == ["192.0.2.128/25"])
    }

    @Test func `only a token with the scope makes tokens`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.userCaller()
        let text = try await gateway.tokens.add(wish("reader", scopes: .machinesRead), by: gateway.admin).text
        let reader = try await gateway.caller(text.reveal())
        await #expect(throws: ControlError.forbidden) { try await gateway.tokens.add(wish("x"), by: reader) }
        await #expect(throws: ControlError.forbidden) { try await gateway.machines.remove("web", by: reader) }
    }

    @Test func `an administrator makes service tokens, and no other person's`() async throws {
        let gateway = try await TestGateway.make()
        let admin = try await gateway.userCaller()
        _ = try await gateway.add(user: "ada", role: .viewer)
        _ = try await gateway.users.add(
            name: named("ci"), kind: .service, role: .operator, allowFrom: [], by: admin)
        await #expect(throws: ControlError.forbidden) {
            try await gateway.tokens.add(wish("hers", owner: "ada"), by: admin)
        }
        let (token, text) = try await gateway.tokens.add(wish("ci", owner: "ci"), by: admin)
        #expect(text.reveal().hasPrefix("tgs_"))
        let service = try await gateway.caller(text.reveal())
        #expect(service.principal.scopes == Role.operator.scopes)
        // A program makes its own next token, and nobody else's.
        #expect(try await gateway.tokens.add(wish("next"), by: service).text.reveal().hasPrefix("tgs_"))
        await #expect(throws: ControlError.forbidden) {
            try await gateway.tokens.add(wish("human", owner: "admin"), by: service)
        }
        await #expect(throws: ControlError.forbidden) { try await gateway.tokens.list(of: named("ada"), by: service) }
        await #expect(throws: ControlError.forbidden) {
            try await gateway.tokens.list(of: named("nobody"), by: service)
        }
        try await gateway.tokens.revoke(token.id, of: named("ci"), by: admin)
        #expect(try await Authentication(gateway.dependencies).principal(bearer: text.reveal(), source: "s") == nil)
    }

    @Test func `a token is good only from where it may come, cached or not`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.userCaller()
        let text = try await gateway.tokens.add(
            wish("x", from: ["198.51.100.0/24", "2001:db8::/32"]), by: gateway.admin
        )
        .text.reveal()
        let authentication = Authentication(gateway.dependencies)
        for _ in 0..<2 {
            for source in ["198.51.100.7", "2001:db8::1"] {
                #expect(try await authentication.principal(bearer: text, source: source) != nil)
            }
            for source in ["198.51.101.7", "::ffff:198.51.100.7", "unknown", ""] {
                await #expect(throws: ControlError.addressNotAllowed) {
                    try await authentication.principal(bearer: text, source: source)
                }
            }
        }
    }

    @Test func `a user's addresses hold for all their tokens, from the next request on`() async throws {
        let gateway = try await TestGateway.make()
        let (caller, text) = try await gateway.add(user: "ada", role: .viewer)
        #expect(caller.principal.user?.name == "ada")
        let block = try #require(AddressBlock("198.51.100.0/24"))
        _ = try await gateway.users.patch(named("ada"), .init(allowFrom: [block]), by: gateway.admin)
        await #expect(throws: ControlError.addressNotAllowed) {
            try await Authentication(gateway.dependencies).principal(bearer: text, source: "192.0.2.2")
        }
    }

    @Test(arguments: [
        (lifetime: 30 * 86_400, passed: 22 * 86_400, renewed: false), (30 * 86_400, 23 * 86_400, true),
        (3_600, 0, false), (3_600, 60, true),
    ])
    func `a token is renewed in its last days, for as long as it was made for`(
        lifetime: Int, passed: Int, renewed: Bool
    ) async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.userCaller()
        let (token, text) = try await gateway.tokens.add(wish("x", .seconds(lifetime)), by: gateway.admin)
        gateway.clock.advance(by: .seconds(passed))
        let renewal = try await gateway.tokens.renew(by: gateway.caller(text.reveal()))
        #expect(renewal.isRenewed == renewed)
        #expect(renewal.expiresAt == (renewed ? gateway.clock.now + .seconds(lifetime) : token.expiresAt))
        gateway.clock.advance(by: .seconds(lifetime - 1))
        let authentication = Authentication(gateway.dependencies)
        #expect(
            (try await authentication.principal(bearer: text.reveal(), source: "s") != nil) == (renewed || passed == 0))
    }

    @Test func `renewals end a year after the token was made, and give ninety days at most`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.userCaller()
        let (token, text) = try await gateway.tokens.add(wish("x", .seconds(360 * 86_400)), by: gateway.admin)
        gateway.clock.advance(by: .seconds(359 * 86_400))
        let renewal = try await gateway.tokens.renew(by: gateway.caller(text.reveal()))
        #expect(renewal == .init(expiresAt: token.createdAt + .seconds(365 * 86_400), isRenewed: true))
        gateway.clock.advance(by: .seconds(5 * 86_400))
        #expect(try await gateway.tokens.renew(by: gateway.caller(text.reveal())).isRenewed == false)
    }

    @Test func `of eight renewals at once one wins`() async throws {
        let gateway = try await TestGateway.make()
        _ = try await gateway.userCaller()
        let text = try await gateway.tokens.add(wish("x", .seconds(90 * 86_400)), by: gateway.admin).text.reveal()
        gateway.clock.advance(by: .seconds(87 * 86_400))
        let caller = try await gateway.caller(text)
        let renewals = try await withThrowingTaskGroup { group in
            for _ in 0..<8 { group.addTask { try await gateway.tokens.renew(by: caller) } }
            return try await group.reduce(into: [TokenService.Renewal]()) { $0.append($1) }
        }
        #expect(renewals.filter(\.isRenewed).count == 1)
        #expect(Set(renewals.map(\.expiresAt)) == [gateway.clock.now + .seconds(90 * 86_400)])
    }

    @Test func `a token without an end isn't renewed; a revoked one, a key and the operator are refused`() async throws
    {
        let gateway = try await TestGateway.make()
        let admin = try await gateway.userCaller()
        let minted = MintedCredential(.personalToken)
        let user = try #require(admin.principal.user)
        let now = gateway.clock.now
        try await gateway.database.write { tx in
            try tx.insertToken(
                AccessToken(
                    id: .random(), tenant: user.tenant, user: user.id, label: "old", createdAt: now, expiresAt: nil,
                    lifetime: nil), digest: minted.digest)
        }
        let endless = try await gateway.caller(minted.text.reveal())
        #expect(try await gateway.tokens.renew(by: endless) == .init(expiresAt: nil, isRenewed: false))
        guard case .user(_, .token(let id), _) = endless.principal else { return }
        try await gateway.tokens.revoke(id, by: admin)
        await #expect(throws: ControlError.unauthenticated) { try await gateway.tokens.renew(by: endless) }
        let web = try await gateway.enrol("web", controlKey: 1)
        for caller in [web.caller, gateway.admin] {
            await #expect(throws: ControlError.notRenewable) { try await gateway.tokens.renew(by: caller) }
        }
    }
}
