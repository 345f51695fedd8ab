public import GateModel

/// Notices that the wall clock was set, or that no gateway ran for a while, and says when leases may be ended again.
///
/// A lease is over when nobody renewed it in its time. After a step that time may never have passed, and after a long
/// stop nobody could renew: sweeping at once would take every machine's port. So each agent gets the chance to report
/// first; until then an unrenewed lease only lets nobody in.
public struct ClockSteps: Sendable {
    /// Less than this is how clocks are disciplined (NTP steps from 0.128 s on), and no lease notices it.
    public static let tolerance = Duration.seconds(5)

    private let grace: Duration
    private var last: (wall: Timestamp, elapsed: Duration)?
    private var quietUntil: Duration?

    /// `grace`: the time in which every living agent reports at least once.
    public init(grace: Duration) { self.grace = grace }

    /// Takes both clocks at one moment; `elapsed` is a clock that nobody can set, from any beginning. Returns by how much
    /// the wall clock moved by itself since the last moment, if it did.
    public mutating func observe(wall: Timestamp, elapsed: Duration) -> Duration? {
        defer { last = (wall, elapsed) }
        guard let last else {
            quietUntil = elapsed + grace
            return nil
        }
        let step = (wall - last.wall) - (elapsed - last.elapsed)
        guard step > Self.tolerance || step < .zero - Self.tolerance else { return nil }
        quietUntil = elapsed + grace
        return step
    }

    /// Whether leases that nobody renewed may be ended at that moment.
    public func mayEndLeases(elapsed: Duration) -> Bool { quietUntil.map { elapsed >= $0 } ?? false }
}
