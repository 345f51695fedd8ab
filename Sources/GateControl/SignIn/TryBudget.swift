import GateModel
import Synchronization

/// Tries in hand for each of some keys: one is taken before each try, given back when it was right, and else comes back by
/// itself after a while. Memory is bounded.
package final class TryBudget<Key: Hashable & Sendable>: Sendable {
    private let tries: Int
    private let perTry: Duration
    private let levels: Mutex<BoundedMap<Key, TryLevel>>

    package init(tries: Int, perTry: Duration, limit: Int = 16_384) {
        self.tries = tries
        self.perTry = perTry
        levels = Mutex(BoundedMap(limit: limit))
    }

    /// Throws `tooManyAttempts` when none is left.
    package func take(_ key: Key, at now: Timestamp) throws(ControlError) {
        let refusal: Duration? = levels.withLock { levels in
            var level = levels[key]?.decayed(at: now, per: perTry) ?? TryLevel(count: 0, at: now)
            guard level.count < tries else { return max(.seconds(1), level.at + perTry - now) }
            level.count += 1
            levels[key] = level
            return nil
        }
        if let refusal { throw .tooManyAttempts(retryAfter: refusal) }
    }

    package func giveBack(_ key: Key, at now: Timestamp) {
        levels.withLock { levels in
            guard var level = levels[key]?.decayed(at: now, per: perTry), level.count > 0 else { return }
            level.count -= 1
            levels[key] = level
        }
    }
}

/// A count that loses one each so often.
package struct TryLevel: Sendable {
    package var count: Int
    package var at: Timestamp

    package init(count: Int, at: Timestamp) {
        self.count = count
        self.at = at
    }

    package func decayed(at now: Timestamp, per step: Duration) -> TryLevel {
        guard now > at, count > 0 else { return count > 0 ? self : TryLevel(count: 0, at: now) }
        let steps = Int(min((now - at) / step, Double(count)))
        guard steps < count else { return TryLevel(count: 0, at: now) }
        return TryLevel(count: count - steps, at: at + step * steps)
    }
}
