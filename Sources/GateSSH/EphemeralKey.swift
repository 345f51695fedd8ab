import Crypto
import FoundationEssentials
import GateModel

/// An ed25519 key pair made in this process, for as long as this process needs it.
public struct EphemeralKey: Sendable {
    public let publicKey: SSHPublicKey
    /// Unencrypted PEM of OpenSSH's PROTOCOL.key, comment empty, as `ssh -i` reads it.
    public let privateKeyFile: Secret<String>

    public static func generate() -> Self {
        while true {
            let pair = Curve25519.Signing.PrivateKey()
            let point = [UInt8](pair.publicKey.rawRepresentation)
            // A point has 32 bytes, so this takes the first turn; the loop only spares callers an impossible error.
            guard let publicKey = try? SSHPublicKey(ed25519: point) else { continue }
            let file = pem(seed: [UInt8](pair.rawRepresentation), point: point)
            return Self(publicKey: publicKey, privateKeyFile: Secret(file))
        }
    }

    private static func pem(seed: [UInt8], point: [UInt8]) -> String {
        let type = SSHPublicKey.Kind.ed25519.rawValue
        var blob = BlobWriter()
        blob.string(type)
        blob.string(point)

        var inner = BlobWriter()
        let check = UInt32.random(in: .min ... .max)
        inner.number(check)
        inner.number(check)
        inner.string(type)
        inner.string(point)
        inner.string(seed + point)
        inner.string("")
        var padding: UInt8 = 0
        while inner.bytes.count % 8 != 0 {
            padding += 1
            inner.raw([padding])
        }

        var outer = BlobWriter()
        outer.raw([UInt8]("openssh-key-v1".utf8) + [0])
        outer.string("none")
        outer.string("none")
        outer.string("")
        outer.number(1)
        outer.string(blob.bytes)
        outer.string(inner.bytes)

        var text = "-----BEGIN OPENSSH PRIVATE KEY-----\n"
        var rest = Base64.encode(outer.bytes)[...]
        while !rest.isEmpty {
            text += rest.prefix(70) + "\n"
            rest = rest.dropFirst(70)
        }
        return text + "-----END OPENSSH PRIVATE KEY-----\n"
    }
}
