import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

@Suite struct OutsideSignInTests {
    @Test func `a sign-in asks for a code with PKCE, state and nonce, and none of them is in the cookie`() async throws
    {
        let world = try await OutsideWorld.make()
        let begun = try await world.begin(returnTo: "/machines")
        #expect(begun.location.hasPrefix("https://id.example/authorize?"))
        #expect(begun.query["response_type"] == "code" && begun.query["code_challenge_method"] == "S256")
        #expect(begun.query["redirect_uri"] == "https://gate.example/api/v1/auth/oidc/callback")
        #expect(begun.query["scope"] == "openid profile email" && begun.query["client_id"] == "tidegate")
        for name in ["state", "nonce", "code_challenge"] {
            let value = try #require(begun.query[name])
            #expect(value.utf8.count == 43 && !begun.cookie.contains(value))
        }
        let completed = try await world.complete(begun)
        #expect(completed.returnTo.rawValue == "/machines")
        let form = try #require(world.provider.with { $0.forms.first })
        #expect(form.fields["client_secret"] == nil)
        // The name and the secret are encoded before they are joined (RFC 6749, section 2.3.1).
        #expect(form.authorization == "Basic dGlkZWdhdGU6YSUyMGNsaWVudCUyN3MlMjBvd24lMjBzZWNyZXQlMkYlMkI=")
    }

    @Test func `a public client sends its name, and one whose header isn't taken its secret in the body`() async throws
    {
        let world = try await OutsideWorld.make(secret: false)
        try await world.enter()
        let form = try #require(world.provider.with { $0.forms.first })
        #expect(form.authorization == nil && form.fields["client_id"] == "tidegate")
        let other = try await OutsideWorld.make()
        other.provider.with {
            $0.description = ["token_endpoint_auth_methods_supported": .list(["client_secret_post"])]
        }
        try await other.enter()
        let posted = try #require(other.provider.with { $0.forms.first })
        #expect(posted.authorization == nil && posted.fields["client_secret"] == TestProvider.secret)
    }

    @Test func `an answer is good once, also after a restart and under a race`() async throws {
        let world = try await OutsideWorld.make()
        let begun = try await world.begin()
        _ = try await world.complete(begun)
        await #expect(throws: ControlError.signInNotBegun) { try await world.complete(begun) }
        // With a provider that gives codes out for ever.
        let (code, _) = world.provider.authorize(begun.location)
        var again = begun
        again.code = code
        let sent = again
        await #expect(throws: ControlError.signInNotBegun) { try await world.complete(sent) }
        let raced = try await world.begin()
        let codes = (0..<8).map { _ in world.provider.authorize(raced.location).code }
        let entered = await withTaskGroup(of: Bool.self) { group in
            for code in codes {
                var one = raced
                one.code = code
                let sent = one
                group.addTask { (try? await world.complete(sent)) != nil }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(entered == 1)
    }

    @Test func `an answer without its cookie, with another's, a changed or an old one is nobody's`() async throws {
        let world = try await OutsideWorld.make()
        let (begun, other) = (try await world.begin(), try await world.begin())
        let parts = begun.cookie.split(separator: ".").map(String.init)
        let late = Int64(parts[1]).map { String($0 + 600_000_000) } ?? ""
        let cookies = [
            other.cookie, "", "x", begun.cookie + "A", String(begun.cookie.dropLast()),
            [parts[0], late, parts[2], parts[3]].joined(separator: "."),
            [parts[0], parts[1], BaseEncoding.base64URL(Array("//evil".utf8)), parts[3]].joined(separator: "."),
            String(repeating: "A", count: 10_000),
        ]
        for cookie in cookies {
            await #expect(throws: ControlError.signInNotBegun) { try await world.complete(begun, cookie: cookie) }
        }
        var changed = begun
        changed.state = other.state
        let sent = changed
        await #expect(throws: ControlError.signInNotBegun) { try await world.complete(sent) }
        world.advance(by: .seconds(600))
        await #expect(throws: ControlError.signInNotBegun) { try await world.complete(begun) }
        #expect(world.provider.calls(.openIDToken) == 0)
    }

    @Test func `another gateway's cookie is none, though its master key is all that differs`() async throws {
        let world = try await OutsideWorld.make()
        let begun = try await world.begin()
        let other = try await OutsideWorld.make()
        // Two worlds share the test's key; a third has one of its own.
        _ = try await other.complete(other.begin())
        let keyed = try world.gateway.makeSignIn(
            keySeed: 8,
            outside: OutsideSettings(
                openID: try OpenIDSettings(
                    issuer: TestProvider.issuer, clientID: TestProvider.client, clientSecret: nil,
                    roles: RoleMapping(roles: [:], standard: .viewer))), outbound: world.provider)
        let openID = try #require(keyed.openID)
        await #expect(throws: ControlError.signInNotBegun) {
            try await openID.complete(
                .init(state: begun.state, code: begun.code, issuer: nil, error: nil), cookie: begun.cookie,
                origin: OutsideWorld.origin, source: "s", client: .empty)
        }
    }

    @Test func `an answer names its provider, where it names one, before a code goes anywhere`() async throws {
        let world = try await OutsideWorld.make()
        let begun = try await world.begin()
        await #expect(throws: ControlError.providerRefused) {
            try await world.complete(begun, issuer: "https://evil.example")
        }
        #expect(world.provider.calls(.openIDToken) == 0)
        _ = try await world.complete(begun, issuer: TestProvider.issuer)
        let strict = try await OutsideWorld.make()
        strict.provider.with { $0.description = ["authorization_response_iss_parameter_supported": .flag(true)] }
        let unnamed = try await strict.begin()
        await #expect(throws: ControlError.providerRefused) { try await strict.complete(unnamed) }
        #expect(strict.provider.calls(.openIDToken) == 0)
    }

    @Test func `a stolen code is no use in another browser's sign-in`() async throws {
        let world = try await OutsideWorld.make()
        let (victim, thief) = (try await world.begin(), try await world.begin())
        var mixed = victim
        mixed.code = thief.code
        let sent = mixed
        await #expect(throws: ControlError.providerRefused) { try await world.complete(sent) }
        #expect(try await world.refusals() == ["code"])
    }

    @Test(arguments: [
        (400, "invalid_client", true), (401, "invalid_client", true), (500, "x", true), (429, "x", true),
        (400, "invalid_grant", false), (403, "access_denied", false),
    ])
    func `only a word about the code refuses; the rest is an outage`(
        status: Int, error: String, isOutage: Bool
    ) async throws {
        let world = try await OutsideWorld.make()
        let begun = try await world.begin()
        world.provider.with {
            $0.answers[.openIDToken] = .success(
                OutboundResponse(status: status, body: Array(#"{"error":"\#(error)"}"#.utf8)))
        }
        await #expect(throws: isOutage ? ControlError.providerUnavailable : .providerRefused) {
            try await world.complete(begun)
        }
    }

    @Test func `a provider that refuses, or gives no ID token, lets nobody in`() async throws {
        let world = try await OutsideWorld.make()
        let begun = try await world.begin()
        await #expect(throws: ControlError.providerRefused) {
            try await world.complete(begun, error: "access_denied")
        }
        world.provider.with { $0.givesIDToken = false }
        await #expect(throws: ControlError.providerRefused) { try await world.complete(begun) }
        #expect(try await world.refusals().sorted() == ["malformed-token", "provider-error"])
    }

    @Test(arguments: [
        "//evil.example", "///evil", "/\\evil.example", "\\/evil", "https://evil.example", "evil", "", "/a//b",
        "/\t/evil", "/a\nb", "/a b", "/\"", "/<script>", "/a|b", "/\u{202E}", "/" + String(repeating: "x", count: 512),
    ])
    func `a path that a browser could read as another host is none`(path: String) {
        #expect(ReturnPath(rawValue: path) == nil)
    }

    @Test(arguments: ["/", "/machines", "/a/b?c=d&e=https://x//y", "/a#b", "/%2F%2Fevil"])
    func `a path of this gateway is one`(path: String) { #expect(ReturnPath(rawValue: path)?.rawValue == path) }

    @Test func `an account's own second factor is asked for, and the session remembers who vouched`() async throws {
        let world = try await OutsideWorld.make()
        let first = try await world.enter()
        let caller = Caller(principal: .user(first.user, in: first.session.id), source: "s")
        let offer = try await world.signIn.secondFactor.offer(password: nil, by: caller)
        let codes = try await world.signIn.secondFactor.confirm(code: world.gateway.code(offer), by: caller)
        guard case .secondFactor(let pending) = try await world.complete(world.begin()).outcome else {
            Issue.record("no code was asked for")
            return
        }
        await #expect(throws: ControlError.secondFactorRefused) {
            try await world.signIn.passwords.complete(
                pending: pending.reveal(), code: "000000", source: "s", client: .empty)
        }
        let signedIn = try await world.signIn.passwords.complete(
            pending: pending.reveal(), code: codes[0].reveal(), source: "s", client: .empty)
        #expect(signedIn.session.method == .oidc && signedIn.session.voucher == first.session.voucher)
        world.advance(by: .seconds(900))
        #expect(try await !world.isLive(signedIn))
    }
}
