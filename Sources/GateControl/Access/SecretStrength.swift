import Glibc

/// Whether a secret that a person chose may open anything. It measures how the characters are spread, which catches what
/// people type (`aaaa…`, `abcdabcd…`, a word), and no more: a text from a book passes.
public struct SecretStrength: Sendable, Hashable {
    public let minimumLength: Int
    public let distinctCharacters: Int
    /// Shannon's entropy of the characters' frequencies, times the length.
    public let bits: Double

    /// What 32 random bytes in base64url easily have.
    public static let full = SecretStrength(minimumLength: 43, distinctCharacters: 16, bits: 128)
    /// For a key that other programs made: 32 hexadecimal digits pass.
    public static let shared = SecretStrength(minimumLength: 24, distinctCharacters: 8, bits: 64)
    static let longest = 1_024

    /// Why a text is no secret of this strength, in words that don't repeat it; nil when it is one.
    public func fault(of text: String) -> String? {
        let bytes = text.utf8
        guard bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return "it holds blanks or characters outside printable ASCII, which no header carries"
        }
        guard bytes.count >= minimumLength else { return "it has fewer than \(minimumLength) characters" }
        guard bytes.count <= Self.longest else { return "it has more than \(Self.longest) characters" }
        let counts = Dictionary(grouping: bytes, by: { $0 }).mapValues(\.count)
        guard counts.count >= distinctCharacters else {
            return "it has fewer than \(distinctCharacters) different characters"
        }
        let length = Double(bytes.count)
        let entropy = counts.values.reduce(0.0) { sum, count in
            let share = Double(count) / length
            return sum - share * log2(share)
        }
        guard entropy * length >= bits else { return "its characters repeat too much (below \(Int(bits)) bits)" }
        return nil
    }
}
