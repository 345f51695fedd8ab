import Crypto
import CryptoExtras
import FoundationEssentials
import GateControl
import GateModel
import Synchronization

/// A key of a provider in a test.
package enum TestProviderKey: Sendable {
    case rsa(_RSA.Signing.PrivateKey)
    case elliptic(P256.Signing.PrivateKey)

    /// One key of each length for the whole run: making one takes a tenth of a second.
    package static let shared = Result { TestProviderKey.rsa(try _RSA.Signing.PrivateKey(keySize: .bits2048)) }
    /// Refused, so it may be had the way that is called unsafe.
    package static let weak = Result {
        TestProviderKey.rsa(try _RSA.Signing.PrivateKey(unsafeKeySize: .init(bitCount: 1_024)))
    }

    /// RFC 7517, without `kid`.
    package func parameters() throws -> [String: String] {
        switch self {
        case .rsa(let key):
            let numbers = try key.publicKey.getKeyPrimitives()
            return [
                "kty": "RSA", "alg": "RS256", "use": "sig", "n": BaseEncoding.base64URL(Array(numbers.modulus)),
                "e": BaseEncoding.base64URL(Array(numbers.publicExponent)),
            ]
        case .elliptic(let key):
            let point = Array(key.publicKey.x963Representation)
            return [
                "kty": "EC", "alg": "ES256", "use": "sig", "crv": "P-256",
                "x": BaseEncoding.base64URL(Array(point[1..<33])), "y": BaseEncoding.base64URL(Array(point[33...])),
            ]
        }
    }

    package var algorithm: String {
        if case .rsa = self { "RS256" } else { "ES256" }
    }

    package func signature(_ text: String) throws -> [UInt8] {
        switch self {
        case .rsa(let key):
            Array(
                try key.signature(for: SHA256.hash(data: Array(text.utf8)), padding: .insecurePKCS1v1_5)
                    .rawRepresentation)
        case .elliptic(let key): Array(try key.signature(for: Array(text.utf8)).rawRepresentation)
        }
    }
}

/// What a token says in a test.
package enum TestClaim: Sendable, Encodable {
    case text(String)
    case number(Int64)
    case list([String])
    case flag(Bool)
    case null

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let text): try container.encode(text)
        case .number(let number): try container.encode(number)
        case .list(let list): try container.encode(list)
        case .flag(let flag): try container.encode(flag)
        case .null: try container.encodeNil()
        }
    }
}

package typealias TestClaims = [String: TestClaim]

/// An OpenID provider in memory, and a team of Cloudflare Access: what it is asked comes through the gateway's own
/// `OutboundSender`.
package final class TestProvider: OutboundSender {
    package static let issuer = "https://id.example/realm"
    package static let client = "tidegate"
    package static let secret = "a client's own secret/+"

    package struct State: Sendable {
        /// Those it publishes, by `kid`.
        package var published: [(id: String?, parameters: [String: String])] = []
        /// Members of its description in the place of the usual ones.
        package var description: [String: TestClaim] = [:]
        /// In the place of what it would answer to each kind of call.
        package var answers: [OutboundPurpose: Result<OutboundResponse, OutboundError>] = [:]
        package var calls: [OutboundPurpose: Int] = [:]
        /// Forms that came to the token endpoint, with their `Authorization`.
        package var forms: [(fields: [String: String], authorization: String?)] = []
        /// Changes the claims of the next tokens.
        package var claims: TestClaims = [:]
        package var groups: [String] = ["staff"]
        package var subject = "subject-1"
        package var refreshToken: String?
        package var givesIDToken = true
        /// Whether it has a place that tells about an access token's holder.
        package var hasUserInfo = false
        package var signer: (key: TestProviderKey, id: String?)
        /// Codes that weren't redeemed yet: the nonce and the challenge each was asked for with.
        fileprivate var codes: [String: (nonce: String, challenge: String, redirect: String)] = [:]
    }

    private let clock: ManualClock
    private let state: Mutex<State>

    package init(clock: ManualClock) throws {
        self.clock = clock
        let key = try TestProviderKey.shared.get()
        state = Mutex(State(published: [("one", try key.parameters())], signer: (key, "one")))
    }

    package func with<Value: Sendable>(_ change: (inout State) throws -> Value) rethrows -> Value {
        try state.withLock { state in try change(&state) }
    }

    package func calls(_ purpose: OutboundPurpose) -> Int { state.withLock { $0.calls[purpose] ?? 0 } }

    /// Signs with another key from now on; whether it is published is the test's to say.
    package func rotate(to key: TestProviderKey, id: String?, isPublished: Bool = true) throws {
        let parameters = try key.parameters()
        state.withLock { state in
            state.signer = (key, id)
            if isPublished { state.published = [(id, parameters)] }
        }
    }

    /// A person agrees: the code that goes back with the browser.
    package func authorize(_ location: String) -> (code: String, query: [String: String]) {
        let query = Self.fields(String(location.drop { $0 != "?" }.dropFirst()))
        let code = BaseEncoding.base64URL((0..<16).map { _ in UInt8.random(in: .min ... .max) })
        state.withLock { state in
            state.codes[code] = (
                query["nonce"] ?? "", query["code_challenge"] ?? "", query["redirect_uri"] ?? ""
            )
        }
        return (code, query)
    }

    package func token(_ claims: TestClaims, header: TestClaims = [:]) throws -> String {
        let (key, id) = state.withLock { $0.signer }
        var fields: TestClaims = ["alg": .text(key.algorithm), "typ": .text("JWT")]
        if let id { fields["kid"] = .text(id) }
        let body = try [fields.merging(header) { $1 }, claims].map { part in
            BaseEncoding.base64URL(
                Array(try JSONEncoder().encode(part.filter { if case .null = $0.value { false } else { true } })))
        }.joined(separator: ".")
        return body + "." + BaseEncoding.base64URL(try key.signature(body))
    }

    /// What an ID token says when nothing is wrong with it.
    package func usual(nonce: String?) -> TestClaims {
        let (subject, groups, changes) = state.withLock { ($0.subject, $0.groups, $0.claims) }
        let now = clock.now.wholeSeconds
        var claims: TestClaims = [
            "iss": .text(Self.issuer), "sub": .text(subject), "aud": .text(Self.client), "iat": .number(now),
            "exp": .number(now + 300), "groups": .list(groups), "preferred_username": .text("Ada Lovelace"),
            "email": .text("ada@example.org"),
        ]
        if let nonce { claims["nonce"] = .text(nonce) }
        return claims.merging(changes) { $1 }
    }

    package func send(_ request: OutboundRequest) async throws(OutboundError) -> OutboundResponse {
        let given = state.withLock { state in
            state.calls[request.purpose, default: 0] += 1
            return state.answers[request.purpose]
        }
        if let given { return try given.get() }
        switch request.purpose {
        case .openIDDiscovery: return json(describe())
        case .keySet: return json(["keys": published()])
        case .openIDToken: return request.method == .get ? tell(request) : redeem(request)
        case .fleet, .webhook: throw .unreachable
        }
    }

    private func describe() -> TestClaims {
        let base = "https://id.example"
        let usual: TestClaims = [
            "issuer": .text(Self.issuer), "authorization_endpoint": .text("\(base)/authorize"),
            "token_endpoint": .text("\(base)/token"), "jwks_uri": .text("\(base)/keys"),
            "code_challenge_methods_supported": .list(["S256"]),
        ]
        let (hasUserInfo, changes) = state.withLock { ($0.hasUserInfo, $0.description) }
        return usual.merging(hasUserInfo ? ["userinfo_endpoint": .text("\(base)/userinfo")] : [:]) { $1 }
            .merging(changes) { $1 }
            .filter { if case .null = $0.value { false } else { true } }
    }

    private func published() -> [[String: String]] {
        state.withLock { $0.published }.map { key in
            var parameters = key.parameters
            parameters["kid"] = key.id
            return parameters
        }
    }

    private func tell(_ request: OutboundRequest) -> OutboundResponse {
        guard request.headers.contains(where: { $0 == ("Authorization", "Bearer opaque") }) else {
            return json(["error": "invalid_token"], status: 401)
        }
        return json(usual(nonce: nil))
    }

    private func redeem(_ request: OutboundRequest) -> OutboundResponse {
        let fields = Self.fields(String(decoding: request.body?.reveal() ?? [], as: UTF8.self))
        let authorization = request.headers.first { $0.name == "Authorization" }?.value
        state.withLock { $0.forms.append((fields, authorization)) }
        var nonce: String?
        if fields["grant_type"] == "authorization_code" {
            let asked = state.withLock { $0.codes.removeValue(forKey: fields["code"] ?? "") }
            let challenge = BaseEncoding.base64URL(
                Array(SHA256.hash(data: Array((fields["code_verifier"] ?? "").utf8))))
            guard let asked, asked.challenge == challenge, asked.redirect == fields["redirect_uri"] else {
                return json(["error": "invalid_grant"], status: 400)
            }
            nonce = asked.nonce
        }
        var answer = ["access_token": "opaque", "token_type": "Bearer"]
        let (refresh, gives) = state.withLock { ($0.refreshToken, $0.givesIDToken) }
        answer["refresh_token"] = refresh
        if gives { answer["id_token"] = try? token(usual(nonce: nonce)) }
        return json(answer)
    }

    private func json(_ value: some Encodable, status: Int = 200) -> OutboundResponse {
        OutboundResponse(status: status, body: Array((try? JSONEncoder().encode(value)) ?? Data()))
    }

    /// A query or a form.
    package static func fields(_ text: String) -> [String: String] {
        var fields: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            fields[unescaped(parts[0])] = parts.count > 1 ? unescaped(parts[1]) : ""
        }
        return fields
    }

    private static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
