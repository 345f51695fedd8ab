/// How long to wait before the next try: anything from `floor` to `ceiling` seconds, drawn by whoever waits.
///
/// Full jitter over an exponential ceiling: a thousand agents that lost one gateway together come back spread out.
public struct Delay: Equatable, Sendable {
    public static let base = 1
    public static let cap = 60

    public let floor: Int
    public let ceiling: Int

    public init(floor: Int, ceiling: Int) {
        self.floor = floor
        self.ceiling = max(floor, ceiling)
    }

    /// 1, 2, 4 … 60 s of ceiling after attempt 0, 1, 2 …; `atLeast` is what the gateway asked for, taken up to an hour.
    public init(attempt: Int, atLeast seconds: Int? = nil) {
        let ceiling = min(Self.base << min(max(attempt, 0), 6), Self.cap)
        let floor = min(max(seconds ?? 0, 0), 3_600)
        self.init(floor: floor, ceiling: floor + ceiling)
    }

    /// A duration between the bounds.
    public func drawn(using generator: inout some RandomNumberGenerator) -> Duration {
        .milliseconds(Int.random(in: floor * 1_000...ceiling * 1_000, using: &generator))
    }
}
