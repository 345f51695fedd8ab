import FoundationEssentials
import GateModel

/// Why a provider's token isn't believed; for the log and the count of refusals, never for whoever sent it.
package enum WebTokenFault: String, Error, Sendable, CaseIterable {
    case malformed = "malformed-token"
    case algorithm = "algorithm"
    case unknownKey = "unknown-key"
    case signature = "signature"
    case issuer = "issuer"
    case audience = "audience"
    case subject = "subject"
    case expired = "expired"
    case notYet = "not-yet-valid"
    case tooOld = "too-old"
    case nonce = "nonce"
    case kind = "other-kind-of-token"
}

/// A signed JSON Web Token (RFC 7515, 7519) taken apart, and not yet believed.
struct WebToken: Sendable {
    /// Those with a signature by a key that only the provider has. HMAC would make a public key a shared secret, and `none`
    /// is no signature; neither has a name here.
    enum Algorithm: String, Sendable {
        case rs256 = "RS256"
        case es256 = "ES256"
    }

    /// Longest token read, in bytes.
    static let limit = 16_384

    let text: String
    let algorithm: Algorithm
    let keyID: String?

    init(_ text: String) throws(WebTokenFault) {
        guard text.utf8.count <= Self.limit else { throw .malformed }
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let header = BaseEncoding.bytes(base64URL: String(Substring(parts[0]))),
            BaseEncoding.bytes(base64URL: String(Substring(parts[1]))) != nil,
            BaseEncoding.bytes(base64URL: String(Substring(parts[2]))) != nil,
            let fields = try? JSONDecoder().decode(WebTokenClaims.self, from: Data(header))
        else { throw .malformed }
        // Extensions that have to be understood (RFC 7515, section 4.1.11): none is.
        guard !fields.has("crit") else { throw .malformed }
        // An access token (RFC 9068) or another's kind of statement, signed by the same keys.
        if fields.has("typ") {
            guard let type = fields.text("typ")?.lowercased(), type == "jwt" || type == "application/jwt" else {
                throw .kind
            }
        }
        guard let algorithm = fields.text("alg").flatMap({ Algorithm(rawValue: $0) }) else { throw .algorithm }
        guard !fields.has("kid") || fields.text("kid") != nil else { throw .malformed }
        self.text = text
        self.algorithm = algorithm
        keyID = fields.text("kid")
    }
}
