import GateModel
import Synchronization

/// How often strangers may make the gateway ask the Fleet.
///
/// Each source has a bucket of questions; one whose answer is "good" is given back, so that nodes with good tokens spend
/// nothing, be they a thousand behind one address after a restart. Whoever sends rubbish empties it and is told to wait;
/// the bucket fills again by itself, and nobody else's is touched. A token the Fleet called good within the last day needs
/// no place in it: neighbours that send rubbish don't keep a known node out.
package final class VerificationPacing: Sendable {
    /// Questions a source may have open or have wasted.
    package static let burst = 64
    static let refill = Duration.milliseconds(500)
    /// Questions about unknown tokens that may be open at once, for sources that wasted none lately and for others. What
    /// `OutboundPurpose.fleet` has room for beyond that is for tokens known to be good.
    static let openOfNew = 224
    static let open = 160
    /// Bounds the memory; past it the oldest knowledge goes.
    static let sources = 4_096
    static let goodTokens = 16_384
    package static let goodFor = Duration.seconds(86_400)

    /// What was spent, to be given to `end`.
    package struct Ticket: Sendable {
        fileprivate let bucket: String?
    }

    package enum Admission: Sendable {
        case admitted(Ticket)
        case wait(Duration)
    }

    private struct Bucket {
        var spent: Int
        var since: ContinuousClock.Instant
    }

    private struct State {
        var buckets: [String: Bucket] = [:]
        var good: [CredentialDigest: ContinuousClock.Instant] = [:]
        var open = 0
    }

    private let state = Mutex(State())

    package init() {}

    package func begin(_ digest: CredentialDigest, from source: String, at now: ContinuousClock.Instant) -> Admission {
        let name = sourceGroup(source)
        return state.withLock { state in
            if let end = state.good[digest] {
                if now < end { return .admitted(Ticket(bucket: nil)) }
                state.good[digest] = nil
            }
            var bucket = state.buckets[name] ?? Bucket(spent: 0, since: now)
            let drained = Int((now - bucket.since) / Self.refill)
            if drained > 0 {
                bucket.spent = max(0, bucket.spent - drained)
                bucket.since += Self.refill * drained
            }
            guard bucket.spent < Self.burst else {
                state.buckets[name] = bucket
                return .wait(.seconds(1))
            }
            guard state.open < (bucket.spent == 0 ? Self.openOfNew : Self.open) else { return .wait(.seconds(1)) }
            if state.buckets[name] == nil, state.buckets.count >= Self.sources {
                state.buckets.removeAll(keepingCapacity: true)
            }
            bucket.spent += 1
            state.buckets[name] = bucket
            state.open += 1
            return .admitted(Ticket(bucket: name))
        }
    }

    /// `isGood` nil: nobody knows, and the question stays spent.
    package func end(_ ticket: Ticket, _ digest: CredentialDigest, isGood: Bool?, at now: ContinuousClock.Instant) {
        state.withLock { state in
            if let name = ticket.bucket {
                state.open -= 1
                if isGood == true, let spent = state.buckets[name]?.spent {
                    state.buckets[name]?.spent = max(0, spent - 1)
                }
            }
            switch isGood {
            case true?:
                if state.good.count >= Self.goodTokens { state.good.removeAll(keepingCapacity: true) }
                state.good[digest] = now + Self.goodFor
            // Revoked since: from now on it is a stranger's.
            case false?: state.good[digest] = nil
            case nil: break
            }
        }
    }
}
