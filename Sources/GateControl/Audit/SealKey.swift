import Crypto
public import GateModel

/// The key of the next seal. It signs once; then only the key made of it is left, from which nobody gets it back. So who
/// takes the gateway over can't sign what was sealed before (a forward-secure chain of Ed25519 keys).
public struct SealKey: Sendable {
    /// Bytes of the seed.
    public static let length = 32

    /// The number of the seal that it signs.
    public let number: Int64
    /// The last event sealed before it.
    public let lastSequence: Int64
    /// What the key is made of; for the file that keeps it.
    public let seed: Secret<[UInt8]>
    public let publicKey: [UInt8]

    /// Throws for a seed that isn't 32 bytes.
    public init(number: Int64, lastSequence: Int64, seed: Secret<[UInt8]>) throws {
        self.number = number
        self.lastSequence = lastSequence
        self.seed = seed
        publicKey = Array(
            try Curve25519.Signing.PrivateKey(rawRepresentation: seed.reveal()).publicKey.rawRepresentation)
    }

    /// A key that nothing before it leads to.
    static func fresh(number: Int64, lastSequence: Int64) throws -> SealKey {
        var generator = SystemRandomNumberGenerator()
        let seed = (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        return try SealKey(number: number, lastSequence: lastSequence, seed: Secret(seed))
    }

    /// The key after this one.
    func next(lastSequence: Int64) throws -> SealKey {
        let seed = SHA256.hash(data: Array("tidegate-audit-ratchet-v1:".utf8) + seed.reveal())
        return try SealKey(number: number &+ 1, lastSequence: lastSequence, seed: Secret(Array(seed)))
    }

    /// Whether the chain with this head goes on with this key, or with one that is made of it: a gateway may have ended
    /// between sealing and taking the next key.
    package func leads(to head: AuditSeal) throws -> Bool {
        var key = self
        while key.number <= head.number, head.number &- key.number < 1_000_000 { key = try key.next(lastSequence: 0) }
        return key.number == head.number &+ 1 && key.publicKey == head.nextKey
    }

    func signature(for bytes: [UInt8]) throws -> [UInt8] {
        Array(try Curve25519.Signing.PrivateKey(rawRepresentation: seed.reveal()).signature(for: bytes))
    }
}

/// Where the key is kept between two starts. `save` returns when the key is on the disk and the one before it is gone;
/// `load` answers nil where there is none that can be used, and throws where that isn't known.
public struct SealKeyStore: Sendable {
    public var load: @Sendable () throws -> SealKey?
    public var save: @Sendable (SealKey) throws -> Void

    public init(load: @escaping @Sendable () throws -> SealKey?, save: @escaping @Sendable (SealKey) throws -> Void) {
        self.load = load
        self.save = save
    }
}
