import GateModel
import Synchronization

/// Answers of the store about credentials, kept in memory and never wrong about a revocation.
///
/// The rule: note the epoch before the read, keep and use the answer only if the epoch is unchanged after it; a revoke
/// commits first, then raises the epoch and drops. So either the read saw the revoke, or the revoke sees the fill.
public final class CredentialCache: Sendable {
    package struct Entry: Sendable {
        package let principal: Principal
        package let expiresAt: Timestamp?
        /// Blocks of addresses it may come from: its own, and its owner's; none means any.
        package let allowFrom: [String]
        package let ownerAllowFrom: [String]

        package init(
            principal: Principal, expiresAt: Timestamp?, allowFrom: [String] = [], ownerAllowFrom: [String] = []
        ) {
            self.principal = principal
            self.expiresAt = expiresAt
            self.allowFrom = allowFrom
            self.ownerAllowFrom = ownerAllowFrom
        }
    }

    private struct State {
        var epoch: UInt64 = 0
        var entries: [CredentialDigest: Entry] = [:]
    }

    /// Bounds the memory; a full cache starts anew, which costs each credential one read.
    private let limit: Int
    private let state = Mutex(State())
    /// What goes on longer than a request ends when its credential is forgotten here.
    public let streams = LiveStreams()

    public init(limit: Int = 100_000) { self.limit = limit }

    package func entry(for digest: CredentialDigest) -> (entry: Entry?, epoch: UInt64) {
        state.withLock { ($0.entries[digest], $0.epoch) }
    }

    /// False when something was revoked since `epoch`: then the answer must be read again.
    package func fill(_ entry: Entry, for digest: CredentialDigest, epoch: UInt64) -> Bool {
        state.withLock { state in
            guard state.epoch == epoch else { return false }
            if state.entries.count >= limit { state.entries.removeAll(keepingCapacity: true) }
            state.entries[digest] = entry
            return true
        }
    }

    /// Forgets every credential `matching` says was taken away. Call it after the commit.
    package func drop(where matching: (Principal) -> Bool) {
        state.withLock { state in
            state.epoch += 1
            state.entries = state.entries.filter { !matching($0.value.principal) }
        }
        streams.end(where: matching)
    }

    /// Forgets all: for a commit whose outcome is unknown.
    package func dropAll() {
        state.withLock { state in
            state.epoch += 1
            state.entries.removeAll(keepingCapacity: true)
        }
        streams.end { _ in true }
    }
}
