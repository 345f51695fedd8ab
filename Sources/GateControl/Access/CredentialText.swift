import Crypto
public import GateModel

/// A new credential: the text shown once and the digest that is kept.
public struct MintedCredential: Sendable {
    public let text: Secret<String>
    public let digest: CredentialDigest

    /// 32 bytes of the system's generator, in base64url (RFC 4648, section 5) behind the kind's prefix.
    public init(_ kind: CredentialKind) {
        let text = kind.rawValue + base64URL(randomBytes(32))
        self.text = Secret(text)
        self.digest = CredentialDigest(of: text)
    }
}

extension CredentialDigest {
    public init(of credential: some StringProtocol) {
        self.init(bytes: Array(SHA256.hash(data: Array(credential.utf8))))
    }
}

/// Bytes of the system's generator.
func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
}

/// RFC 4648, section 5, without padding.
func base64URL(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    var text: [UInt8] = []
    var buffer: UInt32 = 0
    var bits = 0
    for byte in bytes {
        buffer = buffer << 8 | UInt32(byte)
        bits += 8
        while bits >= 6 {
            bits -= 6
            text.append(alphabet[Int(buffer >> UInt32(bits) & 0x3F)])
        }
    }
    if bits > 0 { text.append(alphabet[Int(buffer << UInt32(6 - bits) & 0x3F)]) }
    return String(decoding: text, as: UTF8.self)
}
