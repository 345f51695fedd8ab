import GateControl
import GateModel
import Testing

@Suite struct SecretStrengthTests {
    private let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    @Test func `32 random bytes in base64url are strong, one character less isn't`() throws {
        for _ in 0..<2_000 {
            let text = String((0..<43).compactMap { _ in alphabet.randomElement() })
            #expect(SecretStrength.full.fault(of: text) == nil, "\(text)")
            #expect(SecretStrength.full.fault(of: String(text.dropLast())) != nil)
        }
    }

    @Test(arguments: [
        "", String(repeating: "a", count: 60), String(repeating: "abcd", count: 15),
        String(repeating: "abcdefghijklmno", count: 4), "abcdefghijklmnop" + String(repeating: "a", count: 30),
        String(repeating: "A", count: 43) + "é", "0123456789abcdef0123456789abcdef0123456789 abcdef",
        "0123456789abcdef0123456789abcdef0123456789\tabcdef", "0123456789abcdef0123456789abcdef0123456789\u{7F}abcdef",
    ])
    func `weak ones are named without being repeated`(text: String) {
        let fault = SecretStrength.full.fault(of: text)
        #expect(fault != nil)
        #expect(text.isEmpty || fault?.contains(text) == false)
    }

    @Test func `what sixteen random bytes look like is enough for a shared key`() {
        for _ in 0..<200 {
            let text = String((0..<32).compactMap { _ in "0123456789abcdef".randomElement() })
            #expect(SecretStrength.shared.fault(of: text) == nil, "\(text)")
        }
        for text in ["changeme", "password-password-pass", String(repeating: "ab", count: 30), ""] {
            #expect(SecretStrength.shared.fault(of: text) != nil, "\(text)")
        }
    }

    @Test func `a secret that reads like another credential is refused, for it could never be presented`() throws {
        let body = String((0..<43).compactMap { _ in alphabet.randomElement() })
        for prefix in CredentialKind.allCases.map(\.rawValue) + [NodeToken.prefix] {
            #expect(throws: EnvironmentSecrets.Fault.self) {
                try EnvironmentSecrets.Entry(.drain, Secret(prefix + body))
            }
        }
        _ = try EnvironmentSecrets.Entry(.drain, Secret(body))
    }

    @Test func `each secret is its own principal and no other`() async throws {
        let (drain, agent, tenant) = (
            String((0..<43).compactMap { _ in alphabet.randomElement() }),
            String((0..<43).compactMap { _ in alphabet.randomElement() }), ID<Tenant>.random()
        )
        let secrets = EnvironmentSecrets(
            [try .init(.drain, Secret(drain)), try .init(.agent, Secret(agent))], tenant: tenant)
        func who(_ text: String) async throws -> Principal? {
            if case .principal(let principal)? = try await secrets.verify(.init(text, source: "s")) {
                principal
            } else {
                nil
            }
        }
        #expect(try await who(drain) == .environment(.drain, tenant: tenant))
        #expect(try await who(agent) == .environment(.agent, tenant: tenant))
        #expect(try await who(drain + "x") == nil)
        #expect(Principal.environment(.drain, tenant: tenant).scopes == .drain)
        #expect(Principal.environment(.agent, tenant: tenant).scopes == [])
    }
}
