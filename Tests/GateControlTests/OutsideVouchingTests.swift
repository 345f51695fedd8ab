import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

@Suite struct OutsideVouchingTests {
    @Test func `without a refresh token a session ends after a quarter of an hour, with its streams`() async throws {
        let world = try await OutsideWorld.make()
        let signedIn = try await world.enter()
        let streams = world.gateway.dependencies.credentials.streams
        let stream = try #require(
            try streams.open(.user(signedIn.user, in: signedIn.session.id), until: nil, epoch: streams.epoch))
        world.advance(by: .seconds(899))
        try await world.signIn.askProviders()
        #expect(try await world.isLive(signedIn))
        world.advance(by: .seconds(1))
        #expect(try await !world.isLive(signedIn))
        try await world.signIn.sweep()
        var ends = stream.ends.makeAsyncIterator()
        #expect(await ends.next() == .revoked)
        #expect(world.provider.calls(.openIDToken) == 1)
    }

    @Test func `with one the provider is asked every ten minutes, and the session goes on`() async throws {
        let world = try await OutsideWorld.make()
        world.provider.with { $0.refreshToken = "first-refresh-token" }
        let signedIn = try await world.enter()
        world.provider.with { $0.refreshToken = "second-refresh-token" }
        for round in 1...6 {
            world.advance(by: .seconds(599))
            try await world.signIn.askProviders()
            #expect(world.provider.calls(.openIDToken) == round)
            world.advance(by: .seconds(1))
            try await world.signIn.askProviders()
            #expect(world.provider.calls(.openIDToken) == round + 1)
            #expect(try await world.isLive(signedIn))
        }
        let forms = world.provider.with { $0.forms }.map { $0.fields["refresh_token"] }
        #expect(forms[1] == "first-refresh-token" && forms[2] == "second-refresh-token")
        #expect(try await !world.gateway.storeContents().contains("refresh-token"))
    }

    @Test func `a group that is taken away is seen within the quarter`() async throws {
        let world = try await OutsideWorld.make()
        world.provider.with { ($0.refreshToken, $0.groups) = ("r", ["admins"]) }
        let signedIn = try await world.enter()
        world.provider.with { $0.groups = ["staff"] }
        world.advance(by: .seconds(600))
        try await world.signIn.askProviders()
        #expect(try await world.user(signedIn.user.id).role == .operator)
        #expect(try await world.isLive(signedIn))
        world.provider.with { $0.groups = [] }
        world.advance(by: .seconds(600))
        try await world.signIn.askProviders()
        #expect(try await world.user(signedIn.user.id).disabledAt != nil)
        #expect(try await !world.isLive(signedIn))
    }

    @Test func `a provider that takes its word back ends the session`() async throws {
        let world = try await OutsideWorld.make()
        world.provider.with { $0.refreshToken = "r" }
        let signedIn = try await world.enter()
        world.provider.with {
            $0.answers[.openIDToken] = .success(
                OutboundResponse(status: 400, body: Array(#"{"error":"invalid_grant"}"#.utf8)))
        }
        world.advance(by: .seconds(600))
        try await world.signIn.askProviders()
        #expect(try await !world.isLive(signedIn))
        #expect(try await world.user(signedIn.user.id).disabledAt == nil)
        #expect(try await world.gateway.auditedActions().contains("session.revoked"))
    }

    @Test func `one that is away is asked again until the quarter is over`() async throws {
        let world = try await OutsideWorld.make()
        world.provider.with { $0.refreshToken = "r" }
        let signedIn = try await world.enter()
        world.provider.with { $0.answers[.openIDToken] = .failure(.unreachable) }
        world.advance(by: .seconds(600))
        try await world.signIn.askProviders()
        #expect(try await world.isLive(signedIn))
        world.advance(by: .seconds(299))
        world.provider.with { $0.answers = [:] }
        try await world.signIn.askProviders()
        world.advance(by: .seconds(30))
        #expect(try await world.isLive(signedIn))
        world.provider.with { $0.answers[.openIDToken] = .failure(.unreachable) }
        world.advance(by: .seconds(900))
        try await world.signIn.askProviders()
        #expect(try await !world.isLive(signedIn))
    }

    @Test func `a refresh that is about somebody else, or that nobody signed, ends the session`() async throws {
        for claims in [["sub": TestClaim.text("subject-9")], ["aud": .text("other")]] {
            let world = try await OutsideWorld.make()
            world.provider.with { $0.refreshToken = "r" }
            let signedIn = try await world.enter()
            world.provider.with { $0.claims = claims }
            world.advance(by: .seconds(600))
            try await world.signIn.askProviders()
            world.advance(by: .seconds(300))
            #expect(try await !world.isLive(signedIn))
        }
    }

    @Test func `a provider that says no more who somebody is isn't asked for ever`() async throws {
        let world = try await OutsideWorld.make()
        world.provider.with { $0.refreshToken = "r" }
        let signedIn = try await world.enter()
        world.provider.with { $0.givesIDToken = false }
        world.advance(by: .seconds(600))
        try await world.signIn.askProviders()
        world.advance(by: .seconds(60))
        try await world.signIn.askProviders()
        #expect(world.provider.calls(.openIDToken) == 2)
        world.advance(by: .seconds(240))
        #expect(try await !world.isLive(signedIn))
    }

    @Test func `one that says it elsewhere than in an ID token is asked there`() async throws {
        let world = try await OutsideWorld.make()
        world.provider.with { ($0.refreshToken, $0.hasUserInfo) = ("r", true) }
        let signedIn = try await world.enter()
        world.provider.with { ($0.givesIDToken, $0.groups) = (false, ["admins"]) }
        world.advance(by: .seconds(600))
        try await world.signIn.askProviders()
        #expect(try await world.user(signedIn.user.id).role == .admin)
        world.advance(by: .seconds(600))
        #expect(try await world.isLive(signedIn))
        world.provider.with { $0.groups = [] }
        try await world.signIn.askProviders()
        #expect(try await !world.isLive(signedIn))
        world.provider.with { ($0.givesIDToken, $0.groups) = (true, ["staff"]) }
        let again = try await world.enter()
        world.provider.with { ($0.givesIDToken, $0.claims) = (false, ["sub": .text("subject-9")]) }
        world.advance(by: .seconds(600))
        try await world.signIn.askProviders()
        #expect(try await !world.isLive(again))
    }

    @Test func `a refresh token that no session needs is forgotten`() async throws {
        let world = try await OutsideWorld.make()
        world.provider.with { $0.refreshToken = "r" }
        let signedIn = try await world.enter()
        let caller = Caller(principal: .user(signedIn.user, in: signedIn.session.id), source: "s")
        _ = try await world.signIn.sessions.logOut(everywhere: true, by: caller)
        world.advance(by: .seconds(600))
        try await world.signIn.askProviders()
        #expect(world.provider.calls(.openIDToken) == 1)
        let identity = try #require(signedIn.session.voucher?.identity)
        #expect(try await world.gateway.database.read { tx in try tx.refreshToken(of: identity) } == nil)
    }
}
