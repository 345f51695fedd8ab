import Synchronization

/// Slows down guessing: after `burst` wrong keys a source may try one more every `interval`, right or wrong. An agent with
/// a stale key tries once in five minutes, so even many behind one address stay below it.
final class WrongKeyPacing: Sendable {
    static let burst = 30
    static let interval = Duration.seconds(2)
    /// Bounds the memory; past it the oldest knowledge goes.
    static let sources = 4_096

    private struct Bucket {
        var wrong: Int
        var since: ContinuousClock.Instant
    }

    private let buckets = Mutex<[String: Bucket]>([:])

    /// How long the source has to wait; nil when it may try.
    func wait(_ source: String, at now: ContinuousClock.Instant = .now) -> Duration? {
        buckets.withLock { buckets in
            guard var bucket = buckets[source] else { return nil }
            let drained = Int((now - bucket.since) / Self.interval)
            if drained > 0 {
                bucket.wrong -= drained
                bucket.since += Self.interval * drained
                buckets[source] = bucket.wrong > 0 ? bucket : nil
            }
            return bucket.wrong >= Self.burst ? Self.interval : nil
        }
    }

    func wrong(_ source: String, at now: ContinuousClock.Instant = .now) {
        buckets.withLock { buckets in
            if buckets[source] == nil, buckets.count >= Self.sources { buckets.removeAll(keepingCapacity: true) }
            buckets[source, default: Bucket(wrong: 0, since: now)].wrong += 1
        }
    }
}
