import GateStore
import Synchronization

/// A database that counts what it is asked, fails when told to, and lets a test act between a read and its use.
package final class ObservedDatabase: Database {
    private struct State {
        var reads = 0
        var writes = 0
        var readFailure: StoreError?
        var writeFailure: StoreError?
        var afterRead: (@Sendable () -> Void)?
        var duringWrite: (@Sendable () -> Void)?
    }

    private let base: any Database
    private let state = Mutex(State())

    package init(_ base: any Database) { self.base = base }

    /// Blocking and other reads so far.
    package var reads: Int { state.withLock { $0.reads } }
    package var writes: Int { state.withLock { $0.writes } }

    /// Every read throws this until it is nil again.
    package func failReads(_ error: StoreError?) { state.withLock { $0.readFailure = error } }

    /// Every write is undone and throws this until it is nil again.
    package func failWrites(_ error: StoreError?) { state.withLock { $0.writeFailure = error } }

    /// Runs after each blocking read, before its caller sees the answer.
    package func afterEachBlockingRead(_ action: (@Sendable () -> Void)?) { state.withLock { $0.afterRead = action } }

    /// Runs inside each write, before it is committed or undone.
    package func duringEachWrite(_ action: (@Sendable () -> Void)?) { state.withLock { $0.duringWrite = action } }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        try noteRead()
        return try await base.read(body)
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        let (failure, action) = state.withLock { state in
            state.writes += 1
            return (state.writeFailure, state.duringWrite)
        }
        return try await base.write { tx in
            let value = try body(tx)
            action?()
            if let failure { throw failure }
            return value
        }
    }

    package func readNow<Value>(_ body: (any Transaction) throws -> Value) throws -> Value {
        try noteRead()
        let value = try base.readNow(body)
        state.withLock { $0.afterRead }?()
        return value
    }

    private func noteRead() throws {
        let failure = state.withLock { state in
            state.reads += 1
            return state.readFailure
        }
        if let failure { throw failure }
    }
}
