import Crypto
import GateControl
import GateModel
import GateTesting
import Testing

@Suite struct ProviderKeysTests {
    private static func answer(_ status: Int, _ text: String) -> Result<OutboundResponse, OutboundError> {
        .success(OutboundResponse(status: status, body: Array(text.utf8)))
    }

    @Test func `a new key is fetched when a token comes with it, and then at most once a minute`() async throws {
        let world = try await OutsideWorld.make()
        try await world.enter()
        try await world.enter()
        #expect(world.provider.calls(.keySet) == 1)
        try world.provider.rotate(to: .elliptic(P256.Signing.PrivateKey()), id: "two")
        try await world.enter()
        #expect(world.provider.calls(.keySet) == 2)
        // A stranger who makes names of keys up makes nobody fetch anything.
        try world.provider.rotate(to: .elliptic(P256.Signing.PrivateKey()), id: "made-up", isPublished: false)
        for _ in 0..<20 {
            await #expect(throws: ControlError.providerRefused) { try await world.enter() }
        }
        #expect(world.provider.calls(.keySet) == 2)
        world.advance(by: .seconds(60))
        for _ in 0..<20 {
            await #expect(throws: ControlError.providerRefused) { try await world.enter() }
        }
        #expect(world.provider.calls(.keySet) == 3)
    }

    @Test func `what is published is asked for again after an hour`() async throws {
        let world = try await OutsideWorld.make()
        try await world.enter()
        world.advance(by: .seconds(3_599))
        try await world.enter()
        #expect((world.provider.calls(.openIDDiscovery), world.provider.calls(.keySet)) == (1, 1))
        world.advance(by: .seconds(1))
        try await world.enter()
        #expect((world.provider.calls(.openIDDiscovery), world.provider.calls(.keySet)) == (2, 2))
    }

    @Test func `a key that was withdrawn is good for no longer than that hour`() async throws {
        let world = try await OutsideWorld.make()
        try await world.enter()
        world.provider.with { $0.published = [] }
        world.advance(by: .seconds(3_600))
        await #expect(throws: ControlError.providerUnavailable) { try await world.enter() }
    }

    @Test(arguments: [
        answer(500, "{}"), answer(404, ""), answer(200, ""), answer(200, "[]"), answer(200, "{}"),
        answer(200, #"{"keys":[]}"#), answer(200, #"{"keys":{}}"#), answer(200, String(repeating: "[", count: 100_000)),
        .failure(.redirected(status: 302)), .failure(.answerTooLarge), .failure(.timedOut), .failure(.unreachable),
        .failure(.untrusted), .failure(.busy), .failure(.refusedAddress(.loopback)),
    ])
    func `keys that can't be had are an outage, and asked for again five seconds later`(
        answer: Result<OutboundResponse, OutboundError>
    ) async throws {
        let world = try await OutsideWorld.make()
        world.provider.with { $0.answers[.keySet] = answer }
        for _ in 0..<3 {
            await #expect(throws: ControlError.providerUnavailable) { try await world.enter() }
        }
        #expect(world.provider.calls(.keySet) == 1)
        world.provider.with { $0.answers = [:] }
        world.advance(by: .seconds(5))
        try await world.enter()
    }

    @Test(arguments: [
        answer(500, "{}"), answer(200, "[]"), .failure(.redirected(status: 301)), .failure(.answerTooLarge),
        .failure(.unreachable),
    ])
    func `a provider whose description can't be had is an outage`(
        answer: Result<OutboundResponse, OutboundError>
    ) async throws {
        let world = try await OutsideWorld.make()
        world.provider.with { $0.answers[.openIDDiscovery] = answer }
        for _ in 0..<20 {
            await #expect(throws: ControlError.providerUnavailable) { try await world.begin() }
        }
        #expect(world.provider.calls(.openIDDiscovery) == 1)
    }

    @Test(arguments: [
        ["issuer": TestClaim.text("https://id.example/other")], ["issuer": .text(TestProvider.issuer + "/")],
        ["authorization_endpoint": .text("http://id.example/authorize")],
        ["authorization_endpoint": .text("javascript:alert(1)")], ["token_endpoint": .text("http://id.example/token")],
        ["token_endpoint": .text("https://127.0.0.1/token")], ["jwks_uri": .text("http://127.0.0.1:8080/keys")],
        ["jwks_uri": .text("file:///etc/passwd")], ["jwks_uri": .null],
        ["code_challenge_methods_supported": .list(["plain"])],
        ["id_token_signing_alg_values_supported": .list(["HS256", "none"])],
    ])
    func `a description that says anything else than it should is not relied on`(
        description: [String: TestClaim]
    ) async throws {
        let world = try await OutsideWorld.make()
        world.provider.with { $0.description = description }
        await #expect(throws: ControlError.providerUnavailable) { try await world.begin() }
    }

    @Test func `keys for something else, weak and broken ones are passed over, and hide no other`() async throws {
        let world = try await OutsideWorld.make()
        let good = try TestProviderKey.shared.get().parameters()
        let weak = try TestProviderKey.weak.get().parameters()
        world.provider.with { state in
            state.published = [
                ("a", ["kty": "oct", "k": "AAAA"]), ("b", good.merging(["use": "enc"]) { $1 }), ("c", weak),
                ("d", ["kty": "RSA", "n": "!!", "e": "AQAB"]), ("e", good.merging(["alg": "RS512"]) { $1 }),
                ("f", good.merging(["e": "AQ"]) { $1 }), ("g", ["kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"]),
                ("one", good),
            ]
        }
        try await world.enter()
        try world.provider.rotate(to: TestProviderKey.weak.get(), id: "c", isPublished: false)
        await #expect(throws: ControlError.providerRefused) { try await world.enter() }
        for name in ["b", "e", "f"] {
            try world.provider.rotate(to: TestProviderKey.shared.get(), id: name, isPublished: false)
            await #expect(throws: ControlError.providerRefused) { try await world.enter() }
        }
    }

    @Test func `many who come at once ask once`() async throws {
        let world = try await OutsideWorld.make()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<32 { group.addTask { _ = try await world.enter() } }
            try await group.waitForAll()
        }
        #expect((world.provider.calls(.openIDDiscovery), world.provider.calls(.keySet)) == (1, 1))
    }
}
