extension Timestamp {
    /// Calendar fields in UTC, proleptic Gregorian (algorithm: Howard Hinnant, "chrono-compatible low-level date algorithms").
    package var civil: (year: Int64, month: Int64, day: Int64, hour: Int64, minute: Int64, second: Int64) {
        let seconds = wholeSeconds
        let days = seconds >= 0 ? seconds / 86_400 : (seconds + 1) / 86_400 - 1
        let rest = seconds - days * 86_400
        let z = days + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shifted + 2) / 5 + 1, rest / 3_600, rest / 60 % 60, rest % 60)
    }

    /// RFC 3339 in UTC, to the microsecond where there is a fraction: `2026-03-01T12:00:00Z`, `…00.000250Z`.
    public var rfc3339: String {
        let c = civil
        let remainder = microseconds % 1_000_000
        let fraction = remainder < 0 ? remainder + 1_000_000 : remainder
        let base =
            "\(digits(c.year, 4))-\(digits(c.month, 2))-\(digits(c.day, 2))T\(digits(c.hour, 2)):\(digits(c.minute, 2)):\(digits(c.second, 2))"
        return fraction == 0 ? base + "Z" : base + ".\(digits(fraction, 6))Z"
    }

    /// `YYYYMMDDHHMMSSZ`, the `expiry-time` of sshd(8). The Z needs OpenSSH 9.1; without it sshd reads its own time zone.
    public var sshExpiryTime: String {
        let c = civil
        return digits(c.year, 4) + digits(c.month, 2) + digits(c.day, 2) + digits(c.hour, 2) + digits(c.minute, 2)
            + digits(c.second, 2) + "Z"
    }

    /// Reads RFC 3339 with `Z` or a numeric offset and up to nine digits of fraction (cut to microseconds). Nil otherwise.
    public init?(rfc3339 text: some StringProtocol) {
        var rest = Substring(text).utf8[...]
        func number(_ count: Int) -> Int64? {
            guard rest.count >= count else { return nil }
            var value: Int64 = 0
            for byte in rest.prefix(count) {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            rest = rest.dropFirst(count)
            return value
        }
        func take(_ allowed: String) -> Bool {
            guard let first = rest.first, allowed.utf8.contains(first) else { return false }
            rest = rest.dropFirst()
            return true
        }
        guard rest.count <= 40, let year = number(4), take("-"), let month = number(2), take("-"), let day = number(2),
            take("Tt "), let hour = number(2), take(":"), let minute = number(2), take(":"), let second = number(2),
            (1...12).contains(month), (1...Self.days(in: month, of: year)).contains(day), hour < 24, minute < 60,
            second < 60
        else { return nil }
        var micros: Int64 = 0
        if take(".") {
            var scale: Int64 = 100_000
            var count = 0
            while let byte = rest.first, (0x30...0x39).contains(byte) {
                micros += Int64(byte - 0x30) * scale
                scale /= 10
                count += 1
                rest = rest.dropFirst()
            }
            guard (1...9).contains(count) else { return nil }
        }
        var offset: Int64 = 0
        if !take("Zz") {
            let negative = rest.first == 0x2D
            guard take("+-"), let hours = number(2), take(":"), let minutes = number(2), hours < 24, minutes < 60 else {
                return nil
            }
            offset = (hours * 3_600 + minutes * 60) * (negative ? -1 : 1)
        }
        guard rest.isEmpty else { return nil }
        let seconds = Self.days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset
        self.init(microseconds: seconds * 1_000_000 + micros)
    }

    private static func days(in month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

private func digits(_ value: Int64, _ width: Int) -> String {
    let text = String(value)
    return String(repeating: "0", count: max(0, width - text.count)) + text
}

extension Timestamp: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let value = Self(rfc3339: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "is not an RFC 3339 time")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rfc3339)
    }
}
