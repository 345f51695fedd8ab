public import GateModel
import GateStore
import Synchronization

/// What changes with every request and may lag in the store: last uses and heartbeats. Written in batches; a crash loses
/// at most the time since the last flush, which is why leases are swept a minute after their end.
public final class HotState: Sendable {
    struct Heartbeat: Sendable {
        let generation: Int64
        let at: Timestamp
        let leaseUntil: Timestamp
    }

    struct Batch: Sendable {
        var heartbeats: [ID<Machine>: Heartbeat] = [:]
        var tokens: [ID<AccessToken>: Timestamp] = [:]
        var agentKeys: [ID<AgentKey>: Timestamp] = [:]
        var isEmpty: Bool { heartbeats.isEmpty && tokens.isEmpty && agentKeys.isEmpty }
    }

    /// One that the store keeps a last use of.
    private enum Credential: Hashable {
        case token(ID<AccessToken>)
        case agentKey(ID<AgentKey>)

        init?(_ principal: Principal) {
            switch principal {
            case .user(_, .token(let token), _): self = .token(token)
            case .machine(_, _, .agentKey(let key)): self = .agentKey(key)
            case .user, .machine, .localAdministrator, .environment: return nil
            }
        }
    }

    private struct State {
        var batch = Batch()
        /// When each credential was last put into a batch: a use is written at most once a minute.
        var noted: [Credential: Timestamp] = [:]
        var isReachUnchecked = false
    }

    private let state = Mutex(State())

    public init() {}

    package func used(_ principal: Principal, at now: Timestamp) {
        guard let credential = Credential(principal) else { return }
        state.withLock { state in
            if let before = state.noted[credential], now - before < .seconds(60), now >= before { return }
            if state.noted.count > 100_000 { state.noted.removeAll(keepingCapacity: true) }
            state.noted[credential] = now
            switch credential {
            case .token(let token): state.batch.tokens[token] = now
            case .agentKey(let key): state.batch.agentKeys[key] = now
            }
        }
    }

    /// Somebody's reach changed and the connections they hold couldn't be looked up.
    func reachIsUnchecked() { state.withLock { $0.isReachUnchecked = true } }

    /// Whether that was so, and hereby isn't any more.
    func takeUncheckedReach() -> Bool {
        state.withLock { state in
            defer { state.isReachUnchecked = false }
            return state.isReachUnchecked
        }
    }

    package func beat(_ machine: ID<Machine>, generation: Int64, at now: Timestamp, leaseUntil: Timestamp) {
        state.withLock {
            $0.batch.heartbeats[machine] = Heartbeat(generation: generation, at: now, leaseUntil: leaseUntil)
        }
    }

    /// A machine's last heartbeat, if it isn't in the store yet.
    package func unflushedHeartbeat(of machine: ID<Machine>) -> Timestamp? {
        state.withLock { $0.batch.heartbeats[machine]?.at }
    }

    /// Writes what gathered, in transactions of at most 500 rows. What couldn't be written is kept for the next flush
    /// unless something newer came.
    public func flush(to database: any Database, gateway: ID<Gateway>) async throws {
        let batch = state.withLock { state in
            let batch = state.batch
            state.batch = Batch()
            return batch
        }
        guard !batch.isEmpty else { return }
        do {
            try await database.write(each: batch.heartbeats) { tx, machine, beat in
                try tx.touchMachine(machine, at: beat.at)
                try tx.extendLease(of: machine, on: gateway, generation: beat.generation, until: beat.leaseUntil)
            }
            try await database.write(each: batch.tokens) { tx, token, at in try tx.touchToken(token, at: at) }
            try await database.write(each: batch.agentKeys) { tx, key, at in try tx.touchAgentKey(key, at: at) }
        } catch {
            state.withLock { state in
                state.batch.heartbeats.merge(batch.heartbeats) { newer, _ in newer }
                state.batch.tokens.merge(batch.tokens) { newer, _ in newer }
                state.batch.agentKeys.merge(batch.agentKeys) { newer, _ in newer }
            }
            throw error
        }
    }
}

extension Database {
    /// Changes that don't depend on each other, 500 a transaction: others' changes wait for each in turn.
    fileprivate func write<Key: Sendable, Value: Sendable>(
        each rows: [Key: Value], _ change: @escaping @Sendable (any Transaction, Key, Value) throws -> Void
    ) async throws {
        let rows = Array(rows)
        for start in stride(from: 0, to: rows.count, by: 500) {
            let slice = rows[start..<min(start + 500, rows.count)]
            try await write { tx in
                for (key, value) in slice { try change(tx, key, value) }
            }
        }
    }
}
