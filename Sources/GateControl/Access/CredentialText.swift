import Crypto
public import GateModel

/// A new credential: the text shown once and the digest that is kept.
public struct MintedCredential: Sendable {
    public let text: Secret<String>
    public let digest: CredentialDigest

    /// 32 bytes of the system's generator, in base64url (RFC 4648, section 5) behind the kind's prefix.
    public init(_ kind: CredentialKind) {
        let text = kind.rawValue + BaseEncoding.base64URL(randomBytes(32))
        self.text = Secret(text)
        self.digest = CredentialDigest(of: text)
    }
}

extension CredentialDigest {
    public init(of credential: String) {
        var credential = credential
        self.init(bytes: credential.withUTF8 { Array(SHA256.hash(data: UnsafeRawBufferPointer($0))) })
    }
}

/// Bytes of the system's generator.
func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
}
