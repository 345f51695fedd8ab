import Crypto
import CryptoExtras
import FoundationEssentials
import GateControl
public import GateModel

/// The API keys of the ssh-tunnel-gateway dialect: who presents one, and with what its answers are encrypted.
///
/// Everything slow happens once, here: scrypt (RFC 7914) twice per key. An answer then costs one AES-GCM.
public struct SharedKeyRing: Sendable {
    /// Why the configured keys can't be used.
    public struct Fault: Error, CustomStringConvertible {
        public let description: String
    }

    /// scrypt's parameters, which the agent reads from each answer.
    static let rounds = 16_384
    static let blockSize = 8
    static let parallelism = 1
    /// More would make the start slow and every comparison longer.
    public static let limit = 64

    struct Entry: Sendable {
        let digest: [UInt8]
        let holder: SharedKeyHolder
        let encryption: SymmetricKey
    }

    /// One for all keys: fixed while this process runs, so that the derived keys stay good, and fresh at each start.
    let salt: [UInt8]
    private let entries: [Entry]

    /// `keys` without blanks around them; `stableSalt` must be the same after a restart, for it is what makes a key own
    /// its agents. Takes about 0.1 s per key.
    public init(keys: [Secret<String>], stableSalt: String) throws {
        var texts: [String] = []
        for key in keys.map({ $0.reveal() }) where !texts.contains(key) { texts.append(key) }
        guard (1...Self.limit).contains(texts.count) else {
            throw Fault(description: "1 to \(Self.limit) API keys can be shared")
        }
        // A header can't carry anything else, so such a key could never be presented.
        guard
            texts.allSatisfy({ key in
                key.utf8.allSatisfy { (0x21...0x7E).contains($0) } && (1...1_024).contains(key.utf8.count)
            })
        else { throw Fault(description: "an API key is 1 to 1024 printable ASCII characters without blanks") }
        var generator = SystemRandomNumberGenerator()
        let salt = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        self.salt = salt
        entries = try texts.enumerated().map { index, text in
            let owner = try Self.derive(text, salt: Array("tidegate shared key owner \(stableSalt)".utf8))
            return Entry(
                digest: Array(SHA256.hash(data: Array(text.utf8))),
                holder: SharedKeyHolder(
                    number: index + 1, owner: owner.withUnsafeBytes { Array(SHA256.hash(data: $0)) },
                    isOnly: texts.count == 1),
                encryption: try Self.derive(text, salt: salt))
        }
    }

    private static func derive(_ key: String, salt: [UInt8]) throws -> SymmetricKey {
        try KDF.Scrypt.deriveKey(
            from: Array(key.utf8), salt: salt, outputByteCount: 32, rounds: rounds, blockSize: blockSize,
            parallelism: parallelism)
    }

    public var count: Int { entries.count }

    /// The entry of that key. Takes the same time for every key, right or wrong: all digests are compared in full.
    func entry(for key: String) -> Entry? {
        let digest = Array(SHA256.hash(data: Array(key.utf8)))
        var found: Entry?
        for entry in entries {
            var difference: UInt8 = 0
            for index in 0..<32 { difference |= digest[index] ^ entry.digest[index] }
            if difference == 0 { found = entry }
        }
        return found
    }
}

extension SharedKeyRing.Entry {
    /// Nonce (12 bytes, fresh each time), and ciphertext with its tag behind it.
    func seal(_ secret: Secret<String>) throws -> (nonce: [UInt8], ciphertext: [UInt8]) {
        let box = try AES.GCM.seal(Array(secret.reveal().utf8), using: encryption)
        return (Array(box.nonce), Array(box.ciphertext) + Array(box.tag))
    }
}
