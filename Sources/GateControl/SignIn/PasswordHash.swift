import CryptoExtras
import FoundationEssentials
import GateModel

/// A password as it is kept: scrypt (RFC 7914) with N = 2^15, r = 8, p = 1, a salt of 16 bytes and a key of 32, written
/// as `$scrypt$ln=15,r=8,p=1$SALT$KEY` in base64url, so that later versions can raise the cost and still read this.
package struct PasswordHash: Sendable {
    /// log2 N. One hash takes 32 MiB: memory is what makes a stolen table expensive, and what bounds how many we run.
    static let cost = 15
    private static let prefix = "$scrypt$ln=15,r=8,p=1$"

    private let salt: [UInt8]
    private let key: [UInt8]

    private init(salt: [UInt8], key: [UInt8]) {
        self.salt = salt
        self.key = key
    }

    /// Takes a tenth of a second and 32 MiB: never on a cooperative thread.
    init(of password: String) throws {
        salt = randomBytes(16)
        key = try Self.derive(password, salt: salt)
    }

    /// Nil for a text this version can't read.
    init?(text: String) {
        guard text.hasPrefix(Self.prefix) else { return nil }
        let parts = text.dropFirst(Self.prefix.count).split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 2, let salt = BaseEncoding.bytes(base64URL: parts[0]),
            let key = BaseEncoding.bytes(base64URL: parts[1]),
            salt.count == 16, key.count == 32
        else { return nil }
        self.init(salt: salt, key: key)
    }

    /// What an unknown name is checked against: it takes the same time and matches nothing but by guessing 256 bits.
    static func dummy() -> PasswordHash { PasswordHash(salt: randomBytes(16), key: randomBytes(32)) }

    var text: String { "\(Self.prefix)\(BaseEncoding.base64URL(salt))$\(BaseEncoding.base64URL(key))" }

    /// As costly as making one.
    func matches(_ password: String) throws -> Bool { isSame(try Self.derive(password, salt: salt), key) }

    private static func derive(_ password: String, salt: [UInt8]) throws -> [UInt8] {
        let key = try KDF.Scrypt.deriveKey(
            from: Array(password.utf8), salt: salt, outputByteCount: 32, rounds: 1 << cost, blockSize: 8,
            parallelism: 1)
        return key.withUnsafeBytes { Array($0) }
    }
}

/// Which passwords may be set: long ones; what they are made of is the user's own affair (NIST SP 800-63B, 3.1.1).
package enum PasswordRule {
    package static let characters = 12...256
    package static let bytes = 1_024
    package static let words = "12 to 256 characters, at least 5 different ones, and not the user's name"

    package static func allows(_ password: String, name: String) -> Bool {
        password.utf8.count <= bytes && characters.contains(password.count) && Set(password).count >= 5
            && password.lowercased() != name.lowercased()
    }
}
