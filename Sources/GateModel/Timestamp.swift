/// A moment in UTC, in whole microseconds since 1970-01-01T00:00:00Z. The store keeps it as a 64-bit integer.
public struct Timestamp: Hashable, Comparable, Sendable {
    public let microseconds: Int64

    public init(microseconds: Int64) { self.microseconds = microseconds }
    /// Saturates at the ends of Int64.
    public init(seconds: Int64) { self.microseconds = Duration.seconds(seconds).wholeMicroseconds }

    public static func < (left: Self, right: Self) -> Bool { left.microseconds < right.microseconds }

    /// Saturates instead of trapping: durations reach us from requests.
    public static func + (left: Self, right: Duration) -> Self {
        let (sum, overflow) = left.microseconds.addingReportingOverflow(right.wholeMicroseconds)
        if overflow { return Self(microseconds: right.wholeMicroseconds > 0 ? .max : .min) }
        return Self(microseconds: sum)
    }

    public static func - (left: Self, right: Duration) -> Self { left + (.zero - right) }

    public static func - (left: Self, right: Self) -> Duration {
        let (difference, overflow) = left.microseconds.subtractingReportingOverflow(right.microseconds)
        // Wrapped round, a difference too large would look negative, and old would pass for young.
        if overflow { return .microseconds(left > right ? Int64.max : Int64.min) }
        return .microseconds(difference)
    }

    /// Seconds since 1970, rounded down also before it.
    public var wholeSeconds: Int64 {
        let (quotient, remainder) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return remainder < 0 ? quotient - 1 : quotient
    }
}

extension Duration {
    /// Whole microseconds, saturating at the ends of Int64.
    public var wholeMicroseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        if overflow { return seconds > 0 ? .max : .min }
        let (sum, overflow2) = product.addingReportingOverflow(attoseconds / 1_000_000_000_000)
        return overflow2 ? (seconds > 0 ? .max : .min) : sum
    }
}
