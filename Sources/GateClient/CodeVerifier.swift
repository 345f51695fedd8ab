import Crypto
import GateModel

/// A secret of this process and its digest (RFC 7636, section 4): who has only what was sent at the beginning can't finish.
public struct CodeVerifier: Sendable {
    /// 43 characters of base64url.
    public let text: String
    /// SHA-256 of them, in base64url (`S256`).
    public let challenge: String

    public init() {
        var generator = SystemRandomNumberGenerator()
        text = BaseEncoding.base64URL((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
        challenge = BaseEncoding.base64URL(Array(SHA256.hash(data: Array(text.utf8))))
    }
}
