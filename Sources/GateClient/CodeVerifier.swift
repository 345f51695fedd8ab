import Crypto

/// A secret of this process and its digest (RFC 7636, section 4): who has only what was sent at the beginning can't finish.
public struct CodeVerifier: Sendable {
    /// 43 characters of base64url.
    public let text: String
    /// SHA-256 of them, in base64url (`S256`).
    public let challenge: String

    public init() {
        var generator = SystemRandomNumberGenerator()
        text = base64URL((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
        challenge = base64URL(Array(SHA256.hash(data: Array(text.utf8))))
    }
}

/// RFC 4648, section 5, without padding.
private func base64URL(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    return stride(from: 0, to: bytes.count, by: 3).map { start in
        let group = bytes[start..<min(start + 3, bytes.count)]
        let word = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
        return String(
            decoding: (0...group.count).map { alphabet[Int(word >> UInt32(18 - 6 * $0) & 0x3F)] }, as: UTF8.self)
    }.joined()
}
