import GateModel
public import GateStore
import Synchronization

/// Hands committed audit events on to whoever follows the trail. The sealer publishes them, so that following
/// asks nothing of the store while nothing happens.
public final class AuditTail: Sendable {
    private struct State {
        var next: UInt64 = 0
        var followers: [UInt64: AuditFollower] = [:]
    }

    private let state = Mutex(State())

    public init() {}

    package var followerCount: Int { state.withLock { $0.followers.count } }

    /// Never waits: a follower that is slow falls behind by itself.
    public func publish(_ events: [StoredAuditEvent]) {
        guard !events.isEmpty else { return }
        let followers = state.withLock { Array($0.followers.values) }
        for follower in followers { follower.offer(events) }
    }

    /// Events of this tenant from now on, until `remove`.
    package func add(tenant: ID<Tenant>) -> AuditFollower {
        state.withLock { state in
            state.next += 1
            let follower = AuditFollower(number: state.next, tenant: tenant)
            state.followers[state.next] = follower
            return follower
        }
    }

    package func remove(_ follower: AuditFollower) {
        state.withLock { _ = $0.followers.removeValue(forKey: follower.number) }
    }
}

/// One follower's queue. It is bounded: when it is full it is emptied, and the follower has to read from the store what it
/// missed, at its own pace.
package final class AuditFollower: Sendable {
    package static let limit = 256

    private struct State {
        var queue: [StoredAuditEvent] = []
        var isBehind = false
    }

    fileprivate let number: UInt64
    private let tenant: ID<Tenant>
    private let state = Mutex(State())
    private let wake: AsyncStream<Void>.Continuation
    /// Yields when there may be something to take.
    package let wakes: AsyncStream<Void>

    fileprivate init(number: UInt64, tenant: ID<Tenant>) {
        self.number = number
        self.tenant = tenant
        (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    fileprivate func offer(_ events: [StoredAuditEvent]) {
        let mine = events.filter { $0.event.tenant == tenant }
        guard !mine.isEmpty else { return }
        state.withLock { state in
            guard !state.isBehind else { return }
            guard state.queue.count + mine.count <= Self.limit else {
                state.queue = []
                state.isBehind = true
                return
            }
            state.queue += mine
        }
        wake.yield()
    }

    /// What has come, oldest first; nil when some was lost: from then on it gathers again, for after what the store tells.
    package func take() -> [StoredAuditEvent]? {
        state.withLock { state in
            if state.isBehind {
                state.isBehind = false
                return nil
            }
            defer { state.queue = [] }
            return state.queue
        }
    }
}
