import Synchronization

/// Many who ask the same thing at once get one answer: the first asks, the others wait for what it hears.
final class SingleFlight<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private typealias Waiter = CheckedContinuation<Result<Value, CancellationError>, Never>

    private struct State {
        /// Of each question under way, who else waits.
        var waiters: [Key: [Waiter]] = [:]
    }

    private let state = Mutex(State())

    /// `ask` ends in bounded time, so a waiter does too. When the one who asks is cancelled, the next one asks.
    func value(
        of key: Key, ask: () async throws(CancellationError) -> Value
    ) async throws(CancellationError) -> Value {
        while true {
            if state.withLock({ state in
                guard state.waiters[key] == nil else { return false }
                state.waiters[key] = []
                return true
            }) {
                let result: Result<Value, CancellationError>
                do throws(CancellationError) {
                    result = .success(try await ask())
                } catch {
                    result = .failure(error)
                }
                let waiters = state.withLock { $0.waiters.removeValue(forKey: key) } ?? []
                for waiter in waiters { waiter.resume(returning: result) }
                return try result.get()
            }
            let heard: Result<Value, CancellationError> = await withCheckedContinuation { continuation in
                let isLate = state.withLock { state in
                    guard state.waiters[key] != nil else { return true }
                    state.waiters[key]?.append(continuation)
                    return false
                }
                if isLate { continuation.resume(returning: .failure(CancellationError())) }
            }
            if case .success(let value) = heard { return value }
            if Task.isCancelled { throw CancellationError() }
        }
    }
}
