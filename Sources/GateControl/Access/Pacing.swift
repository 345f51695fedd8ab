import Synchronization

/// So many at once, and one more each `interval`; kept as one instant for each key, in bounded memory.
///
/// Virtual scheduling, the generic cell rate algorithm of ITU-T I.371: what is kept is when everything taken so far
/// would be paid for at one each `interval`. The clock is the monotonic one, so that no step of the wall's clock frees or
/// locks anybody.
package final class Pacing<Key: Hashable & Sendable>: Sendable {
    private let headroom: Duration
    private let interval: Duration
    private let paid: Mutex<BoundedMap<Key, ContinuousClock.Instant>>

    /// `burst` is at least one; `limit` bounds how many keys are remembered, the most recently seen ones.
    package init(burst: Int, interval: Duration, limit: Int) {
        self.interval = interval
        headroom = interval * max(0, burst - 1)
        paid = Mutex(BoundedMap(limit: limit))
    }

    /// Takes one. Not nil: none is left, nothing was taken, and one is there after that time.
    package func take(_ key: Key, at now: ContinuousClock.Instant = .now) -> Duration? {
        paid.withLock { paid in
            let due = max(paid[key] ?? now, now)
            guard due - now <= headroom else { return due - now - headroom }
            paid[key] = due + interval
            return nil
        }
    }

    /// What `take` would say.
    package func wait(_ key: Key, at now: ContinuousClock.Instant = .now) -> Duration? {
        paid.withLock { paid in
            guard let due = paid[key], due - now > headroom else { return nil }
            return due - now - headroom
        }
    }

    /// Keys remembered, for the test that counts them.
    package var count: Int { paid.withLock { $0.count } }
}
