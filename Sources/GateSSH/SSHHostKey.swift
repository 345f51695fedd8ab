/// A host's public key as sshd offers it, of a type and size that stock ssh accepts, without name or comment.
public struct SSHHostKey: Hashable, Sendable, CustomStringConvertible {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case ed25519 = "ssh-ed25519"
        case ecdsa256 = "ecdsa-sha2-nistp256"
        case ecdsa384 = "ecdsa-sha2-nistp384"
        case ecdsa521 = "ecdsa-sha2-nistp521"
        case rsa = "ssh-rsa"
        case skEd25519 = "sk-ssh-ed25519@openssh.com"

        var body: KeyBody {
            switch self {
            case .ed25519: .ed25519
            case .ecdsa256: .ecdsa(curve: "nistp256", pointBytes: 65)
            case .ecdsa384: .ecdsa(curve: "nistp384", pointBytes: 97)
            case .ecdsa521: .ecdsa(curve: "nistp521", pointBytes: 133)
            case .rsa: .rsa
            case .skEd25519: .securityKeyEd25519
            }
        }
    }

    public let kind: Kind
    /// Canonical, padded.
    public let base64: String
    /// `SHA256:` and 43 characters, as `ssh-keygen -l` prints it.
    public let fingerprint: String

    /// Reads `type base64 [comment]` (a `.pub` file) or `names type base64` (ssh-keyscan(1), known_hosts of sshd(8)).
    ///
    /// The names are dropped: what a key is trusted for is decided by us, never by the text it came in. A marker
    /// (`@cert-authority`, `@revoked`) is refused, for it would turn the meaning round.
    public init(parsing text: some StringProtocol) throws(SSHPublicKeyError) {
        var words = try KeyText(text).words[...]
        guard let first = words.first, !first.hasPrefix("@"), !first.hasPrefix("#") else { throw .options }
        if Kind(rawValue: first) == nil { words = words.dropFirst() }
        guard let type = words.first, let kind = Kind(rawValue: type) else {
            throw first.contains("-cert-v") ? .certificate : .unknownType
        }
        guard let base64 = words.dropFirst().first else { throw .noKey }
        let blob = try KeyText.blob(base64)
        try kind.body.check(blob, named: kind.rawValue)
        self.kind = kind
        self.base64 = base64
        self.fingerprint = Base64.fingerprint(ofBlob: blob)
    }

    /// `type base64`, nothing behind it.
    public var line: String { "\(kind.rawValue) \(base64)" }
    public var description: String { line }
}
