/// The text of a Fleet's node token, `mcn_` and an opaque rest, as far as it can be judged without asking the Fleet.
public enum NodeToken {
    public static let prefix = "mcn_"
    /// Characters after the prefix. A shorter one could be guessed; a longer one is no token.
    public static let lengths = 16...512

    public static func claims(_ text: some StringProtocol) -> Bool { text.hasPrefix(prefix) }

    /// What can't be one costs nobody a call: RFC 6750's `b64token`, which needs no escaping in JSON either.
    public static func isWellFormed(_ text: some StringProtocol) -> Bool {
        claims(text) && lengths.contains(text.utf8.count - prefix.utf8.count)
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                    || "-._~+/=".utf8.contains($0)
            }
    }
}
