import FoundationEssentials
import GateModel
import JWTKit

/// One of a provider's public keys (RFC 7517), and what a token may be verified with by it: the key says which algorithm,
/// never the token.
struct ProviderKey: Sendable {
    /// Keys of one provider that are looked at.
    static let limit = 64
    /// Bits of an RSA modulus; a larger one costs us more than it can be worth.
    static let moduli = 2_048...8_192

    let id: String?
    let algorithm: WebToken.Algorithm
    private let collection: JWTKeyCollection

    /// The usable ones of a key set; nil for a document that is none. What isn't for signatures, of another kind or too
    /// weak is passed over: a provider may publish keys for others too.
    static func usable(in document: [UInt8]) async -> [ProviderKey]? {
        guard let set = try? JSONDecoder().decode(KeySet.self, from: Data(document)) else { return nil }
        var keys: [ProviderKey] = []
        for parameters in set.keys.prefix(limit) {
            guard let parameters = parameters.value, let key = await ProviderKey(parameters) else { continue }
            keys.append(key)
        }
        return keys
    }

    private init?(_ parameters: KeyParameters) async {
        guard parameters.use == nil || parameters.use == "sig",
            parameters.operations == nil || parameters.operations?.contains("verify") == true
        else { return nil }
        let collection = JWTKeyCollection()
        switch (parameters.kind, parameters.algorithm) {
        case ("RSA", nil), ("RSA", WebToken.Algorithm.rs256.rawValue):
            guard let modulus = parameters.modulus, let bytes = BaseEncoding.bytes(base64URL: modulus),
                Self.moduli.contains(bytes.drop { $0 == 0 }.count * 8), let exponent = parameters.exponent,
                let power = BaseEncoding.bytes(base64URL: exponent), (1...4).contains(power.count),
                power.last.map({ $0 & 1 == 1 }) == true, power != [1],
                let key = try? Insecure.RSA.PublicKey(modulus: modulus, exponent: exponent)
            else { return nil }
            await collection.add(rsa: key, digestAlgorithm: .sha256)
            algorithm = .rs256
        case ("EC", nil), ("EC", WebToken.Algorithm.es256.rawValue):
            guard parameters.curve == "P-256", let x = parameters.x, let y = parameters.y,
                BaseEncoding.bytes(base64URL: x)?.count == 32, BaseEncoding.bytes(base64URL: y)?.count == 32,
                let key = try? ES256PublicKey(parameters: (x, y))
            else { return nil }
            await collection.add(ecdsa: key)
            algorithm = .es256
        default: return nil
        }
        id = parameters.id
        self.collection = collection
    }

    /// The claims of a token that this key signed.
    func verify(_ token: WebToken) async throws(WebTokenFault) -> WebTokenClaims {
        guard token.algorithm == algorithm else { throw .algorithm }
        do {
            return try await collection.verify(token.text, as: WebTokenClaims.self)
        } catch {
            throw .signature
        }
    }
}

private struct KeySet: Decodable {
    let keys: [Lenient]

    /// One key that can't be read must not hide the others.
    struct Lenient: Decodable {
        let value: KeyParameters?

        init(from decoder: any Decoder) throws { value = try? KeyParameters(from: decoder) }
    }
}

private struct KeyParameters: Decodable {
    let kind: String
    let use: String?
    let operations: [String]?
    let algorithm: String?
    let id: String?
    let modulus: String?
    let exponent: String?
    let curve: String?
    let x: String?
    let y: String?

    enum CodingKeys: String, CodingKey {
        case use, x, y
        case kind = "kty"
        case operations = "key_ops"
        case algorithm = "alg"
        case id = "kid"
        case modulus = "n"
        case exponent = "e"
        case curve = "crv"
    }
}
