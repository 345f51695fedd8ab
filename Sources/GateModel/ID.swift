/// A UUID that knows what it names, so that a key's id can't be passed where a machine's is meant.
///
/// Text form: 36 characters, lower case, RFC 9562. Ids are made by us (version 4 or 7), never by a database.
public struct ID<Subject>: Hashable, Sendable, CustomStringConvertible, Codable {
    public let text: String

    /// Reads the canonical text form; upper case is accepted and folded. Nil for anything else.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 36 else { return nil }
        var folded = [UInt8]()
        folded.reserveCapacity(36)
        for (index, byte) in text.utf8.enumerated() {
            switch (index, byte) {
            case (8, 0x2D), (13, 0x2D), (18, 0x2D), (23, 0x2D): folded.append(byte)
            case (8, _), (13, _), (18, _), (23, _): return nil
            case (_, 0x30...0x39), (_, 0x61...0x66): folded.append(byte)
            case (_, 0x41...0x46): folded.append(byte + 0x20)
            default: return nil
            }
        }
        self.text = String(decoding: folded, as: UTF8.self)
    }

    /// A fresh random id (version 4, 122 random bits from the system's generator).
    public static func random() -> Self {
        var generator = SystemRandomNumberGenerator()
        return random(using: &generator)
    }

    public static func random(using generator: inout some RandomNumberGenerator) -> Self {
        Self(high: (generator.next() as UInt64) & ~0xF000 | 0x4000, low: generator.next())
    }

    /// A fresh id that sorts by time (version 7, RFC 9562, 5.7, with the microseconds behind the milliseconds; 62 random bits),
    /// for rows that are added all the time: they come to lie beside each other, so that many share one written page.
    public static func ordered(at time: Timestamp) -> Self {
        var generator = SystemRandomNumberGenerator()
        let (milliseconds, rest) = max(0, time.microseconds).quotientAndRemainder(dividingBy: 1_000)
        let high = UInt64(milliseconds) << 16 | 0x7000 | UInt64(rest * 4_096 / 1_000)
        return Self(high: high, low: generator.next())
    }

    private init(high: UInt64, low: UInt64) {
        let low = low & ~(0xC000 << 48) | (0x8000 << 48)
        let digits = Array("0123456789abcdef".utf8)
        var bytes = [UInt8]()
        bytes.reserveCapacity(36)
        for position in 0..<32 {
            if [8, 12, 16, 20].contains(position) { bytes.append(UInt8(ascii: "-")) }
            let word = position < 16 ? high : low
            bytes.append(digits[Int(word >> UInt64(60 - position % 16 * 4) & 0xF)])
        }
        text = String(decoding: bytes, as: UTF8.self)
    }

    public var description: String { text }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let id = Self(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "is not a UUID")
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
