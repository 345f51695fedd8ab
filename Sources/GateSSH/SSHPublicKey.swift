/// A person's or an agent's ed25519 public key, with or without a security key, without its comment.
public struct SSHPublicKey: Hashable, Sendable, CustomStringConvertible {
    /// The types sshd is told to accept: one strong algorithm, so that no policy on sizes and hashes is needed. RSA only
    /// while keys brought over from another gateway live.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case ed25519 = "ssh-ed25519"
        case skEd25519 = "sk-ssh-ed25519@openssh.com"
        /// Only from `init(importing:)`, of 2048 bits and more.
        case rsa = "ssh-rsa"

        fileprivate var body: KeyBody {
            switch self {
            case .ed25519: .ed25519
            case .skEd25519: .securityKeyEd25519
            case .rsa: .rsa
            }
        }
    }

    public let kind: Kind
    /// Canonical, padded.
    public let base64: String
    /// `SHA256:` and 43 characters, as `ssh-keygen -l` prints it and sshd passes it for `%f`.
    public let fingerprint: String

    /// Reads one line `type base64 [comment]`, at most 8 KiB (authorized_keys format of sshd(8), without options).
    public init(parsing text: some StringProtocol) throws(SSHPublicKeyError) {
        try self.init(words: try KeyText(text).words, kinds: [.ed25519, .skEd25519])
    }

    /// The same, and RSA too: a key that an agent of another gateway holds and that is brought over with it, until the
    /// agent's next registration replaces it.
    public init(importing text: some StringProtocol) throws(SSHPublicKeyError) {
        try self.init(words: try KeyText(text).words, kinds: Kind.allCases)
    }

    private init(words: [String], kinds: [Kind]) throws(SSHPublicKeyError) {
        guard let kind = Kind(rawValue: words[0]), kinds.contains(kind) else { throw Self.refusal(of: words) }
        guard words.count > 1 else { throw .noKey }
        try self.init(kind: kind, base64: words[1], blob: try KeyText.blob(words[1]))
    }

    package init(ed25519 point: [UInt8]) throws(SSHPublicKeyError) {
        var writer = BlobWriter()
        writer.string(Kind.ed25519.rawValue)
        writer.string(point)
        try self.init(kind: .ed25519, base64: Base64.encode(writer.bytes), blob: writer.bytes)
    }

    private init(kind: Kind, base64: String, blob: [UInt8]) throws(SSHPublicKeyError) {
        try kind.body.check(blob, named: kind.rawValue)
        self.kind = kind
        self.base64 = base64
        self.fingerprint = Base64.fingerprint(ofBlob: blob)
    }

    /// `type base64`, nothing behind it.
    public var line: String { "\(kind.rawValue) \(base64)" }
    public var description: String { line }

    /// Picks the refusal that tells its reader what to do next.
    private static func refusal(of words: [String]) -> SSHPublicKeyError {
        let type = words[0]
        if type.contains("-cert-v") { return .certificate }
        if isTypeName(type) { return .oldType }
        if words.dropFirst().contains(where: { isTypeName($0) }) { return .options }
        return .unknownType
    }

    private static func isTypeName(_ word: String) -> Bool {
        Kind(rawValue: word) != nil || SSHHostKey.Kind(rawValue: word) != nil || word.contains("-cert-v")
            || ["ssh-dss", "ssh-rsa1", "sk-ecdsa-sha2-nistp256@openssh.com", "ssh-ed448"].contains(word)
    }
}
