import GateModel
import GateStore
import Synchronization

/// What heartbeats ask: who holds which lease. Kept in memory, because each living machine asks once a minute and the answer
/// changes when it registers.
///
/// The rule is that of all caches here: note the epoch before the read, keep the answer only if it is unchanged after it;
/// whoever changes a lease commits first, then drops. Only what is there is kept.
final class LeaseCache: Sendable {
    /// A machine by its own key, or an agent of the dialect by its id.
    enum Asker: Hashable, Sendable {
        case machine(ID<Machine>)
        case agent(AgentID)
    }

    struct Holding: Sendable {
        var lease: Lease
        /// Of the dialect; nil for a machine that asks by its own key.
        var agent: SharedKeyAgent?
    }

    private struct State {
        var epoch: UInt64 = 0
        var holdings: [Asker: Holding] = [:]
        var askers = ReverseIndex<ID<Machine>, Asker>()

        mutating func clear() {
            holdings.removeAll(keepingCapacity: true)
            askers.removeAll()
        }
    }

    private let limit = 200_000
    private let state = Mutex(State())

    /// The holding from memory, else by `read`, which is kept unless something was dropped meanwhile.
    func holding(of asker: Asker, read: () throws -> Holding?) throws -> Holding? {
        let (known, epoch) = state.withLock { ($0.holdings[asker], $0.epoch) }
        if let known { return known }
        guard let read = try read() else { return nil }
        state.withLock { state in
            guard state.epoch == epoch else { return }
            if state.holdings.count >= limit { state.clear() }
            state.holdings[asker] = read
            state.askers.insert(asker, under: [read.lease.machine])
        }
        return read
    }

    /// A heartbeat moved the lease's end; the store learns of it with the next flush.
    func moved(_ asker: Asker, generation: Int64, until: Timestamp) {
        state.withLock { state in
            guard state.holdings[asker]?.lease.generation == generation else { return }
            state.holdings[asker]?.lease.expiresAt = until
        }
    }

    /// Call it after the commit that changed the lease of a machine, or whose machine it is.
    func drop(_ machines: some Sequence<ID<Machine>>) {
        state.withLock { state in
            state.epoch += 1
            for machine in machines {
                for asker in state.askers[machine] {
                    state.holdings[asker] = nil
                    state.askers.remove(asker, under: [machine])
                }
            }
        }
    }

    /// For a commit whose outcome is unknown.
    func dropAll() {
        state.withLock { state in
            state.epoch += 1
            state.clear()
        }
    }
}
