import GateSSH

/// ed25519 public keys with well-formed lines; nobody has their private halves.
package enum SampleKeys {
    /// The same key for the same number.
    package static func publicKey(_ number: UInt64) throws -> SSHPublicKey {
        var generator = SeededGenerator(number)
        return try SSHPublicKey(ed25519: (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    package static func hostKey(_ number: UInt64) throws -> SSHHostKey {
        try SSHHostKey(parsing: publicKey(number).line)
    }
}
