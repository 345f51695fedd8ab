import Crypto
import FoundationEssentials
public import GateModel

/// The key of secrets that the gateway has to read again: seeds and other programs' secrets. It lives outside the store, so
/// that a copy of the database alone opens nothing.
///
/// Each use has a key of its own, derived by HKDF-SHA256 (RFC 5869). Sealed text is AES-256-GCM and says in its
/// authenticated data which table, column and row it belongs to: moved elsewhere it doesn't open.
public struct MasterKey: Sendable {
    public static let length = 32

    private let sealing: SymmetricKey
    private let digesting: SymmetricKey
    private let forgery: SymmetricKey

    /// Nil unless there are 32 bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.length else { return nil }
        let key = SymmetricKey(data: bytes)
        func derived(_ use: String) -> SymmetricKey {
            HKDF<SHA256>.deriveKey(
                inputKeyMaterial: key, salt: Array("tidegate".utf8), info: Array(use.utf8), outputByteCount: 32)
        }
        sealing = derived("seal 1")
        digesting = derived("digest 1")
        forgery = derived("forgery 1")
    }

    /// From base64 or base64url, with white space around it; nil for another length.
    public init?(text: String) {
        let word = text.filter { !$0.isWhitespace && $0 != "=" }.replacing("+", with: "-").replacing("/", with: "_")
        guard let bytes = BaseEncoding.bytes(base64URL: word) else { return nil }
        self.init(bytes)
    }

    /// A fresh key of the system's generator, as the text to keep.
    public static func generate() -> Secret<String> { Secret(BaseEncoding.base64URL(randomBytes(length))) }

    /// Where a sealed secret is kept: it opens there and nowhere else.
    struct Place: Sendable {
        let column: String
        let row: String
        var authenticated: [UInt8] { Array("\(column)\u{0}\(row)".utf8) }
    }

    /// Version 1, 12 bytes of nonce, the text, 16 bytes of tag.
    func seal(_ secret: [UInt8], at place: Place) throws -> [UInt8] {
        let box = try AES.GCM.seal(secret, using: sealing, authenticating: place.authenticated)
        return [1] + Array(box.nonce) + Array(box.ciphertext) + Array(box.tag)
    }

    /// Throws for another key, another place, or changed bytes.
    func open(_ sealed: [UInt8], at place: Place) throws -> [UInt8] {
        guard sealed.first == 1, sealed.count >= 29 else { throw CryptoKitError.authenticationFailure }
        let box = try AES.GCM.SealedBox(
            nonce: AES.GCM.Nonce(data: sealed[1..<13]), ciphertext: sealed[13..<(sealed.count - 16)],
            tag: sealed[(sealed.count - 16)...])
        return Array(try AES.GCM.open(box, using: sealing, authenticating: place.authenticated))
    }

    /// HMAC-SHA256 of a code too short for a plain digest: whoever has only the store can't search for it.
    func digest(_ code: String, use: String) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array("\(use)\u{0}\(code)".utf8), using: digesting))
    }

    /// What a page of this session holds beside the cookie: who has the cookie alone, or only its digest, doesn't know it.
    func forgeryToken(of session: ID<Session>) -> String {
        BaseEncoding.base64URL(Array(HMAC<SHA256>.authenticationCode(for: Array(session.text.utf8), using: forgery)))
    }
}

/// Compares without telling by its time where two texts differ.
func isSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
}
