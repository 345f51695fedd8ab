import Crypto
import CryptoExtras
import GateControl
import GateModel
import GateTesting
import Testing

/// A token with one thing wrong with it, and the reason that is noted.
struct TokenFault: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let reason: String
    var claims: TestClaims = [:]
    /// From the good token's text to what is sent.
    var change: @Sendable (OutsideWorld, TestClaims) throws -> String?

    init(
        _ what: String, _ reason: WebTokenFault, claims: TestClaims = [:],
        change: @escaping @Sendable (OutsideWorld, TestClaims) throws -> String? = { _, _ in nil }
    ) {
        testDescription = what
        self.reason = reason.rawValue
        self.claims = claims
        self.change = change
    }

    /// The clock of `TestGateway`.
    private static let now: Int64 = 1_772_366_400

    private static func part(_ text: String) -> String { BaseEncoding.base64URL(Array(text.utf8)) }

    static let all: [TokenFault] = [
        TokenFault("another issuer", .issuer, claims: ["iss": .text("https://id.example/other")]),
        TokenFault("an issuer with a slash more", .issuer, claims: ["iss": .text(TestProvider.issuer + "/")]),
        TokenFault("no issuer", .issuer, claims: ["iss": .null]),
        TokenFault("another audience", .audience, claims: ["aud": .text("somebody-else")]),
        TokenFault("no audience", .audience, claims: ["aud": .null]),
        TokenFault("a number for audience", .audience, claims: ["aud": .number(1)]),
        TokenFault("an audience that only begins like ours", .audience, claims: ["aud": .text("tidegate2")]),
        TokenFault("ours among others, made for nobody", .audience, claims: ["aud": .list(["tidegate", "other"])]),
        TokenFault(
            "ours among others, made for another", .audience,
            claims: ["aud": .list(["tidegate", "other"]), "azp": .text("other")]),
        TokenFault("ours alone, made for another", .audience, claims: ["azp": .text("other")]),
        TokenFault("expired", .expired, claims: ["exp": .number(now - 61)]),
        TokenFault("without an end", .expired, claims: ["exp": .null]),
        TokenFault("an end in words", .expired, claims: ["exp": .text("2999-01-01")]),
        TokenFault("made in the future", .notYet, claims: ["iat": .number(now + 61)]),
        TokenFault("made long ago", .tooOld, claims: ["iat": .number(now - 601)]),
        TokenFault("made at no time", .tooOld, claims: ["iat": .null]),
        TokenFault("not valid yet", .notYet, claims: ["nbf": .number(now + 61)]),
        TokenFault("not valid in words", .notYet, claims: ["nbf": .text("yesterday")]),
        TokenFault("another nonce", .nonce, claims: ["nonce": .text("another")]),
        TokenFault("no nonce", .nonce, claims: ["nonce": .null]),
        TokenFault("no subject", .subject, claims: ["sub": .null]),
        TokenFault("an empty subject", .subject, claims: ["sub": .text("")]),
        TokenFault("a subject with a line break", .subject, claims: ["sub": .text("a\nb")]),
        TokenFault("a subject of a thousand", .subject, claims: ["sub": .text(String(repeating: "a", count: 1_000))]),
        TokenFault("not signed at all", .algorithm) { world, claims in
            let text = try world.provider.token(claims, header: ["alg": .text("none")])
            return text.split(separator: ".").prefix(2).joined(separator: ".") + "."
        },
        TokenFault("HMAC with the public key", .algorithm) { world, claims in
            guard case .rsa(let key) = try TestProviderKey.shared.get() else { return nil }
            let good = try world.provider.token(claims, header: ["alg": .text("HS256")])
            let body = good.split(separator: ".").prefix(2).joined(separator: ".")
            let secret = SymmetricKey(data: Array(key.publicKey.pemRepresentation.utf8))
            let mac = HMAC<SHA256>.authenticationCode(for: Array(body.utf8), using: secret)
            return body + "." + BaseEncoding.base64URL(Array(mac))
        },
        TokenFault("RS512", .algorithm) { world, claims in
            try world.provider.token(claims, header: ["alg": .text("RS512")])
        },
        TokenFault("another algorithm than its key's", .unknownKey) { world, claims in
            try world.provider.token(claims, header: ["alg": .text("ES256")])
        },
        TokenFault("a key that isn't published", .unknownKey) { world, claims in
            try world.provider.token(claims, header: ["kid": .text("unheard-of")])
        },
        TokenFault("another's signature under a published name", .signature) { world, claims in
            let stranger = TestProviderKey.rsa(try _RSA.Signing.PrivateKey(keySize: .bits2048))
            try world.provider.rotate(to: stranger, id: "one", isPublished: false)
            return try world.provider.token(claims)
        },
        TokenFault("changed claims", .signature) { world, claims in
            var parts = try world.provider.token(claims).split(separator: ".").map(String.init)
            parts[1] = part(#"{"iss":"\#(TestProvider.issuer)","sub":"admin"}"#)
            return parts.joined(separator: ".")
        },
        TokenFault("a signature of another length", .signature) { world, claims in
            try world.provider.token(claims).split(separator: ".").prefix(2).joined(separator: ".") + ".AAAA"
        },
        TokenFault("an access token", .kind) { world, claims in
            try world.provider.token(claims, header: ["typ": .text("at+jwt")])
        },
        TokenFault("an extension that must be understood", .malformed) { world, claims in
            try world.provider.token(claims, header: ["crit": .list(["b64"])])
        },
        TokenFault("two parts", .malformed) { world, claims in
            try world.provider.token(claims).split(separator: ".").prefix(2).joined(separator: ".")
        },
        TokenFault("four parts", .malformed) { world, claims in try world.provider.token(claims) + ".AA" },
        TokenFault("no base64url", .malformed) { world, claims in "+" + (try world.provider.token(claims)) },
        TokenFault("padding", .malformed) { world, claims in try world.provider.token(claims) + "==" },
        TokenFault("a header that is no object", .malformed) { world, claims in
            part("[]") + "."
                + (try world.provider.token(claims).split(separator: ".").dropFirst().joined(separator: "."))
        },
        TokenFault("nothing", .malformed) { _, _ in "" },
        TokenFault("sixteen thousand characters and more", .malformed) { _, _ in
            [16_000, 400, 4].map { String(repeating: "A", count: $0) }.joined(separator: ".")
        },
    ]
}

@Suite struct OutsideTokenTests {
    @Test(arguments: TokenFault.all)
    func `a token with anything wrong lets nobody in, and the reason is noted`(fault: TokenFault) async throws {
        let world = try await OutsideWorld.make()
        let begun = try await world.begin()
        world.provider.with { $0.claims = fault.claims }
        let claims = world.provider.usual(nonce: begun.query["nonce"]).merging(fault.claims) { $1 }
        if let text = try fault.change(world, claims) {
            world.provider.with {
                $0.answers[.openIDToken] = .success(
                    OutboundResponse(status: 200, body: Array(#"{"id_token":"\#(text)"}"#.utf8)))
            }
        }
        await #expect(throws: ControlError.providerRefused) { try await world.complete(begun) }
        #expect(try await world.refusals() == [fault.reason])
        #expect(try await !world.gateway.auditedActions().contains("login.succeeded"))
    }

    @Test func `what may differ does: clocks, a list of ours alone, ours among others by azp, ES256, no kid`()
        async throws
    {
        let world = try await OutsideWorld.make()
        let now = world.gateway.clock.now.wholeSeconds
        let good: [TestClaims] = [
            ["exp": .number(now - 59)], ["iat": .number(now + 59)], ["iat": .number(now - 599)],
            ["nbf": .number(now + 59)], ["aud": .list(["tidegate"])], ["azp": .text("tidegate")],
            ["aud": .list(["other", "tidegate"]), "azp": .text("tidegate")],
        ]
        for claims in good {
            world.provider.with { $0.claims = claims }
            try await world.enter()
        }
        world.provider.with { $0.claims = [:] }
        world.advance(by: .seconds(60))
        try world.provider.rotate(to: .elliptic(P256.Signing.PrivateKey()), id: "two")
        try await world.enter()
        world.advance(by: .seconds(60))
        try world.provider.rotate(to: .elliptic(P256.Signing.PrivateKey()), id: nil)
        world.advance(by: .seconds(3_600))
        try await world.enter()
    }
}
