import GateModel
import Synchronization

/// Slows guessing down without locking anybody out: only sources that were wrong themselves are refused, however often an
/// account is guessed at.
///
/// A source has ten tries in hand and gets one back each thirty seconds; a right password gives its try back. While an account
/// is under attack (fifty wrong tries, one forgotten each thirty seconds), a source that was wrong three times lately is
/// refused for that account too. Who was right before, from the same source, is served before all others. Memory is bounded: the two generations of a map hold `limit` sources and accounts.
package final class SignInDamping: Sendable {
    package struct Rules: Sendable {
        package var tries = 10
        package var perTry = Duration.seconds(30)
        package var accountTries = 50
        package var perAccountTry = Duration.seconds(30)
        package var suspiciousAfter = 3

        package init() {}
    }

    private struct State {
        var sources: BoundedMap<String, TryLevel>
        var accounts: BoundedMap<String, TryLevel>
        /// Who was right, and from where.
        var known: BoundedMap<Visit, Void>
    }

    private struct Visit: Hashable, Sendable {
        let source: String
        let account: String
    }

    private let rules: Rules
    private let state: Mutex<State>

    package init(rules: Rules = Rules(), limit: Int = 16_384) {
        self.rules = rules
        state = Mutex(
            State(
                sources: BoundedMap(limit: limit), accounts: BoundedMap(limit: limit),
                known: BoundedMap(limit: limit)))
    }

    package enum Admission: Sendable, Equatable {
        /// With how many wrong tries this source has on it, itself not counted; -1 for one that was right before.
        case admitted(weight: Int)
        case refused(retryAfter: Duration)
    }

    /// Takes a try before its password is looked at, so that a burst at once is counted too.
    package func admit(source: String, account: String, at now: Timestamp) -> Admission {
        let source = sourceGroup(source)
        return state.withLock { state in
            var own = state.sources[source]?.decayed(at: now, per: rules.perTry) ?? TryLevel(count: 0, at: now)
            let isKnown = state.known[Visit(source: source, account: account)] != nil
            let onAccount = state.accounts[account]?.decayed(at: now, per: rules.perAccountTry).count ?? 0
            let limit = onAccount >= rules.accountTries ? rules.suspiciousAfter : rules.tries
            guard own.count < limit else {
                return .refused(retryAfter: rules.perTry * (own.count - limit + 1))
            }
            let weight = isKnown && own.count == 0 ? -1 : own.count
            own.count += 1
            state.sources[source] = own
            return .admitted(weight: weight)
        }
    }

    /// The password was right, or was never looked at: the try is given back.
    package func giveBack(source: String, at now: Timestamp) {
        let source = sourceGroup(source)
        state.withLock { state in
            guard var own = state.sources[source]?.decayed(at: now, per: rules.perTry), own.count > 0 else { return }
            own.count -= 1
            state.sources[source] = own
        }
    }

    /// Remembers where an account's owner comes from.
    package func right(source: String, account: String) {
        let visit = Visit(source: sourceGroup(source), account: account)
        state.withLock { $0.known[visit] = () }
    }

    /// True when this wrong try makes it an attack on the account.
    package func wrong(account: String, at now: Timestamp) -> Bool {
        state.withLock { state in
            var level =
                state.accounts[account]?.decayed(at: now, per: rules.perAccountTry) ?? TryLevel(count: 0, at: now)
            level.count = min(level.count + 1, rules.accountTries * 4)
            state.accounts[account] = level
            return level.count == rules.accountTries
        }
    }

    /// Entries kept, for the test that counts them.
    package var entries: Int { state.withLock { $0.sources.count + $0.accounts.count + $0.known.count } }
}
