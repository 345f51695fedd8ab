import Dispatch
import GRDB
import GateStore
import Synchronization

/// Commits the bodies that wait together as savepoints of one transaction, so that they share one sync of the disk.
///
/// There is no timer: the sync in flight is the window in which the next group gathers. The group runs on a queue of
/// its own, never in a caller's task; so cancelling one caller rolls back nobody, and blocking costs no cooperative
/// thread. Results are released after the COMMIT only.
final class GroupCommitter: Sendable {
    typealias Body = @Sendable (any GateStore.Transaction) throws -> Release
    /// Hands a body's value to its caller.
    typealias Release = @Sendable () -> Void

    private struct Job: Sendable {
        let body: Body
        let fail: @Sendable (any Error) -> Void
    }

    private struct State {
        var waiting: [Job] = []
        var isScheduled = false
        var isClosed = false
        var counts = CommitCounts()
    }

    private static let groupLimit = 256
    private static let waitingLimit = 4096

    private let pool: DatabasePool
    private let room: LogRoom
    private let queue = DispatchQueue(label: "tidegate.store.commit")
    private let state = Mutex(State())

    init(pool: DatabasePool) {
        self.pool = pool
        room = LogRoom(path: pool.path)
    }

    var counts: CommitCounts { state.withLock { $0.counts } }

    func write<Value: Sendable>(_ body: @escaping @Sendable (any GateStore.Transaction) throws -> Value) async throws
        -> Value
    {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
            enqueue(
                Job(
                    body: { transaction in
                        let value = try body(transaction)
                        return { continuation.resume(returning: value) }
                    },
                    fail: { continuation.resume(throwing: $0) }))
        }
    }

    /// Runs `work` on the writer between two groups, in no transaction.
    func exclusively<Value: Sendable>(_ work: @escaping @Sendable (GRDB.Database) throws -> Value) async throws -> Value
    {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
            queue.async { [pool] in
                continuation.resume(with: Result { try pool.writeWithoutTransaction(work) })
            }
        }
    }

    /// Refuses new bodies, commits those accepted, and closes all connections.
    func close() async throws {
        state.withLock { $0.isClosed = true }
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            queue.async { [self] in
                while commitNextGroup() {}
                continuation.resume(with: Result { try pool.close() })
            }
        }
    }

    private func enqueue(_ job: Job) {
        let (refusal, mustSchedule): (StoreError?, Bool) = state.withLock { state in
            if state.isClosed { return (.transient("the store is closed"), false) }
            // Without a bound a stalled disk would turn waiting callers into memory.
            if state.waiting.count >= Self.waitingLimit { return (.transient("too many writes wait"), false) }
            state.waiting.append(job)
            defer { state.isScheduled = true }
            return (nil, !state.isScheduled)
        }
        if let refusal { return job.fail(refusal) }
        if mustSchedule { schedule() }
    }

    private func schedule() {
        queue.async { [self] in
            if commitNextGroup() { schedule() }
        }
    }

    /// Returns whether another group must be scheduled.
    private func commitNextGroup() -> Bool {
        let group: [Job] = state.withLock { state in
            let group = Array(state.waiting.prefix(Self.groupLimit))
            state.waiting.removeFirst(group.count)
            if group.isEmpty { state.isScheduled = false }
            return group
        }
        guard !group.isEmpty else { return false }
        var verdicts = commit(group)
        let refused = group.indices.filter { verdicts[$0].isWantOfRoom }
        if !refused.isEmpty {
            // What the log holds is mostly superseded: moved into the file, it has room of its own again, and revocations
            // above all should not wait for the operator. Bodies have no side effects, and of these nothing was stored.
            moveLog()
            for (index, verdict) in zip(refused, commit(refused.map { group[$0] })) { verdicts[index] = verdict }
        }
        state.withLock { state in
            state.counts.commits += 1
            state.counts.jobs += group.count
        }
        for (job, verdict) in zip(group, verdicts) {
            switch verdict {
            case .success(let release): release()
            case .failure(let error): job.fail(error)
            }
        }
        if room.isShort { moveLog() }
        return true
    }

    /// Into the store's file, as far as readers and the disk allow.
    private func moveLog() {
        try? pool.writeWithoutTransaction { connection in _ = try connection.checkpoint(.truncate) }
    }

    private func commit(_ group: [Job]) -> [Result<Release, any Error>] {
        var verdicts: [Result<Release, any Error>] = []
        verdicts.reserveCapacity(group.count)
        do {
            try pool.writeWithoutTransaction { connection in
                try connection.inImmediateTransaction {
                    let transaction = SQLiteTransaction(connection: connection)
                    for job in group { verdicts.append(try run(job, in: transaction)) }
                }
            }
            return verdicts
        } catch {
            // Nothing of the group is on disk. A body that was refused for its own reason keeps that reason.
            let groupError = StoreError(mapping: error)
            return group.indices.map { index in
                if index < verdicts.count, case .failure(let own) = verdicts[index] { return .failure(own) }
                return .failure(groupError)
            }
        }
    }

    /// Throws only what ends the whole group.
    private func run(_ job: Job, in transaction: SQLiteTransaction) throws -> Result<Release, any Error> {
        let connection = transaction.connection
        try connection.run("SAVEPOINT body")
        do {
            let release = try job.body(transaction)
            try connection.run("RELEASE body")
            return .success(release)
        } catch {
            // A full disk, an I/O error or exhausted memory may have rolled back everything (sqlite.org/lang_transaction).
            guard connection.isInsideTransaction else {
                throw error as? StoreError ?? .full("an error ended the transaction")
            }
            try connection.run("ROLLBACK TO body")
            try connection.run("RELEASE body")
            return .failure(error)
        }
    }
}

/// How often the store committed, and for how many bodies: `jobs / commits` is the mean group.
public struct CommitCounts: Hashable, Sendable {
    /// Groups tried, also those whose COMMIT failed.
    public internal(set) var commits = 0
    /// Bodies run in them, also those that threw.
    public internal(set) var jobs = 0
}

extension Result where Failure == any Error {
    /// The disk had no room for it.
    fileprivate var isWantOfRoom: Bool {
        if case .failure(StoreError.full) = self { true } else { false }
    }
}
