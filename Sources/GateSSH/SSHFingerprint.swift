/// A key's SHA-256 fingerprint: `SHA256:` and 43 characters of unpadded base64, as sshd's `%f` has it.
public struct SSHFingerprint: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String

    /// Nil for anything but the one text that 32 bytes have.
    public init?(rawValue: String) {
        guard rawValue.utf8.count == 50, rawValue.hasPrefix("SHA256:"),
            Base64.decode(rawValue.dropFirst(7) + "=")?.count == 32
        else { return nil }
        self.rawValue = rawValue
    }

    public init?(_ text: some StringProtocol) { self.init(rawValue: String(text)) }

    public var description: String { rawValue }
}
