/// One numbered step of the schema, as a script of statements.
public struct Migration: Hashable, Sendable {
    /// Counts from 1 without gaps.
    public let number: Int
    /// The part of the file's name after the number, e.g. `initial`.
    public let name: String
    /// The statements, separated by semicolons.
    public let script: String

    public init(number: Int, name: String, script: String) {
        self.number = number
        self.name = name
        self.script = script
    }

    /// FNV-1a (64 bits, 16 hex digits) of the script.
    ///
    /// It detects a file edited after it was applied, which is a mistake and not an attack: who can change our
    /// binary or the database needs no collision. So this target does without a cryptographic library.
    public var checksum: String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in script.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
