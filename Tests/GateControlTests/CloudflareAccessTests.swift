import Crypto
import GateControl
import GateModel
import GateTesting
import Testing

@Suite struct CloudflareAccessTests {
    @Test func `whom Access names comes in with the role of newcomers, and keeps what administrators say later`()
        async throws
    {
        let world = try await OutsideWorld.make(accessRole: .viewer)
        let signedIn = try await world.enterByAccess(world.assertion())
        #expect(signedIn.user.name == "grace" && signedIn.user.role == .viewer)
        #expect(signedIn.session.method == .cloudflareAccess)
        let name = try #require(UserName(rawValue: "grace"))
        _ = try await UserService(world.gateway.dependencies).patch(name, .init(role: .admin), by: world.gateway.admin)
        let again = try await world.enterByAccess(world.assertion())
        #expect(again.user.id == signedIn.user.id && again.user.role == .admin)
    }

    @Test func `without a role for newcomers only those who are linked come in`() async throws {
        let world = try await OutsideWorld.make()
        await #expect(throws: ControlError.noRole) { try await world.enterByAccess(world.assertion()) }
        let ada = try await world.gateway.addUser("ada")
        _ = try await UserService(world.gateway.dependencies).link(
            try #require(UserName(rawValue: "ada")), issuer: try #require(OutsideIssuer(rawValue: OutsideWorld.team)),
            subject: try #require(OutsideSubject(rawValue: "access-1")), by: world.gateway.admin)
        #expect(try await world.enterByAccess(world.assertion()).user.id == ada.id)
    }

    @Test func `an assertion is good for twelve hours from when it was made, and so is its session`() async throws {
        let world = try await OutsideWorld.make(accessRole: .viewer)
        let assertion = try world.assertion()
        world.advance(by: .seconds(43_200))
        await #expect(throws: ControlError.self) {
            // Still believed to the second; its session is over as it begins.
            let late = try await world.enterByAccess(assertion)
            guard try await world.isLive(late) else { throw ControlError.providerRefused }
        }
        world.advance(by: .seconds(1))
        await #expect(throws: ControlError.providerRefused) { try await world.enterByAccess(assertion) }
        #expect(try await world.refusals() == ["too-old"])
        let fresh = try await world.enterByAccess(world.assertion())
        for _ in 0..<4 {
            world.advance(by: .seconds(10_799))
            #expect(try await world.isLive(fresh))
        }
        world.advance(by: .seconds(4))
        #expect(try await !world.isLive(fresh))
    }

    @Test func `its session ends with the assertion`() async throws {
        let world = try await OutsideWorld.make(accessRole: .viewer)
        let now = world.gateway.clock.now.wholeSeconds
        let signedIn = try await world.enterByAccess(world.assertion(["exp": .number(now + 600)]))
        world.advance(by: .seconds(599))
        #expect(try await world.isLive(signedIn))
        world.advance(by: .seconds(1))
        #expect(try await !world.isLive(signedIn))
    }

    @Test(arguments: [
        (["iss": TestClaim.text("https://other.cloudflareaccess.com")], "issuer"),
        (["aud": .list(["other"])], "audience"),
        (["aud": .list(["aud-tag", "other"])], "audience"), (["aud": .null], "audience"),
        (["type": .text("org")], "other-kind-of-token"), (["sub": .text("")], "subject"), (["sub": .null], "subject"),
        (["iat": .null], "too-old"), (["exp": .null], "expired"), (["exp": .number(1)], "expired"),
    ])
    func `an assertion with anything wrong is nobody's`(claims: TestClaims, reason: String) async throws {
        let world = try await OutsideWorld.make(accessRole: .viewer)
        await #expect(throws: ControlError.providerRefused) { try await world.enterByAccess(world.assertion(claims)) }
        #expect(try await world.refusals() == [reason])
    }

    @Test func `no assertion, another's and the provider's own ID token are nobody's`() async throws {
        let world = try await OutsideWorld.make(accessRole: .viewer)
        await #expect(throws: ControlError.providerRefused) { try await world.enterByAccess(nil) }
        await #expect(throws: ControlError.providerRefused) { try await world.enterByAccess("a.b.c") }
        let idToken = try world.provider.token(world.provider.usual(nonce: nil))
        await #expect(throws: ControlError.providerRefused) { try await world.enterByAccess(idToken) }
        try world.provider.rotate(to: .elliptic(P256.Signing.PrivateKey()), id: "one", isPublished: false)
        await #expect(throws: ControlError.providerRefused) { try await world.enterByAccess(world.assertion()) }
    }

    @Test func `keys that can't be had are an outage, never a refusal`() async throws {
        let world = try await OutsideWorld.make(accessRole: .viewer)
        world.provider.with { $0.answers[.keySet] = .failure(.unreachable) }
        await #expect(throws: ControlError.providerUnavailable) { try await world.enterByAccess(world.assertion()) }
        #expect(world.gateway.dependencies.refusals.total == 0)
    }
}
