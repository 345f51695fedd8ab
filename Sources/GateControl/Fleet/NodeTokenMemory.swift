import GateModel
import Synchronization

/// Node tokens that the Fleet called good within the last minute. Only these: a refusal is never remembered, since a token
/// may be made a moment after it was asked about.
///
/// The rule of every cache here: note the epoch, ask, and keep the answer only if nothing was forgotten meanwhile.
public final class NodeTokenMemory: Sendable {
    /// The time for which a token that the Fleet revoked may still be taken.
    public static let lifetime = Duration.seconds(60)

    private struct Entry {
        let node: VerifiedNode
        let tenant: ID<Tenant>
        let until: ContinuousClock.Instant
    }

    private struct State {
        var epoch: UInt64 = 0
        var entries: [CredentialDigest: Entry] = [:]
    }

    /// Bounds the memory; a full one starts anew, which costs each token one question.
    private let limit: Int
    private let state = Mutex(State())

    public init(limit: Int = 50_000) { self.limit = limit }

    package func node(
        for digest: CredentialDigest, at now: ContinuousClock.Instant
    ) -> (node: VerifiedNode?, epoch: UInt64) {
        state.withLock { state in
            guard let entry = state.entries[digest] else { return (nil, state.epoch) }
            guard now < entry.until else {
                state.entries[digest] = nil
                return (nil, state.epoch)
            }
            return (entry.node, state.epoch)
        }
    }

    /// `asked`: when the question was sent; the minute counts from there. False when something was forgotten since `epoch`:
    /// then the Fleet must be asked again.
    package func keep(
        _ node: VerifiedNode, of tenant: ID<Tenant>, for digest: CredentialDigest, epoch: UInt64,
        asked: ContinuousClock.Instant
    ) -> Bool {
        state.withLock { state in
            guard state.epoch == epoch else { return false }
            if state.entries.count >= limit { state.entries.removeAll(keepingCapacity: true) }
            state.entries[digest] = Entry(node: node, tenant: tenant, until: asked + Self.lifetime)
            return true
        }
    }

    func forget(_ digest: CredentialDigest) { state.withLock { $0.entries[digest] = nil } }

    /// Forgets the tokens of one tenant's users, and lets no answer that is under way be kept.
    package func forgetAll(of tenant: ID<Tenant>) {
        state.withLock { state in
            state.epoch += 1
            state.entries = state.entries.filter { $0.value.tenant != tenant }
        }
    }
}
