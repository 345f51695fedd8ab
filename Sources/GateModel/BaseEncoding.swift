/// Bytes as text (RFC 4648), without padding.
public enum BaseEncoding {
    private static let digits64 = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let digits32 = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

    /// base64url (section 5).
    public static func base64URL(_ bytes: [UInt8]) -> String { text(bytes, digits64, bitsEach: 6) }

    /// base32 (section 6).
    public static func base32(_ bytes: [UInt8]) -> String { text(bytes, digits32, bitsEach: 5) }

    /// The bytes of a base64url text; nil for any other text, and for a second spelling of the same bytes: what is left over
    /// must be padding bits, all zero.
    public static func bytes(base64URL text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var (buffer, bits): (UInt32, Int) = (0, 0)
        for character in text.utf8 {
            guard let value = value64(character) else { return nil }
            buffer = (buffer << 6 | value) & 0xFFFF
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(buffer >> UInt32(bits) & 0xFF))
            }
        }
        guard bits < 6, buffer & ((1 << UInt32(bits)) - 1) == 0 else { return nil }
        return bytes
    }

    private static func text(_ bytes: [UInt8], _ digits: [UInt8], bitsEach: Int) -> String {
        var (text, buffer, bits): ([UInt8], UInt32, Int) = ([], 0, 0)
        let mask = UInt32(digits.count - 1)
        for byte in bytes {
            buffer = (buffer << 8 | UInt32(byte)) & 0xFFFF
            bits += 8
            while bits >= bitsEach {
                bits -= bitsEach
                text.append(digits[Int(buffer >> UInt32(bits) & mask)])
            }
        }
        if bits > 0 { text.append(digits[Int(buffer << UInt32(bitsEach - bits) & mask)]) }
        return String(decoding: text, as: UTF8.self)
    }

    private static func value64(_ character: UInt8) -> UInt32? {
        switch character {
        case 0x41...0x5A: UInt32(character) - 0x41
        case 0x61...0x7A: UInt32(character) - 0x61 + 26
        case 0x30...0x39: UInt32(character) - 0x30 + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
