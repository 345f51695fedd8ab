extension Duration {
    /// Reads `90s`, `15m`, `12h`, `7d` or a sum such as `1h30m`; a bare number is seconds. Nil for anything else,
    /// for zero and for more than ten years.
    public init?(text: some StringProtocol) {
        var total: Int64 = 0
        var number: Int64?
        var sawUnit = false
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39:
                let next = (number ?? 0) * 10 + Int64(byte - 0x30)
                guard next <= 1_000_000_000 else { return nil }
                number = next
            default:
                let unit: Int64
                switch byte {
                case UInt8(ascii: "s"): unit = 1
                case UInt8(ascii: "m"): unit = 60
                case UInt8(ascii: "h"): unit = 3_600
                case UInt8(ascii: "d"): unit = 86_400
                default: return nil
                }
                guard let value = number else { return nil }
                total += value * unit
                guard total <= Self.longestText else { return nil }
                number = nil
                sawUnit = true
            }
        }
        if let value = number {
            guard !sawUnit else { return nil }
            total = value
        }
        guard total > 0, total <= Self.longestText else { return nil }
        self = .seconds(total)
    }

    /// Ten years, in seconds.
    private static let longestText: Int64 = 10 * 366 * 86_400
}
