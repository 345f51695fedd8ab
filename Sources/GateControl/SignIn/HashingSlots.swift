import Dispatch
import Synchronization

/// Runs what takes long and much memory on threads of its own, a few at a time, with a bounded queue.
///
/// Who waits is served by weight first and by arrival second: weight is how often the source was wrong lately. So somebody
/// who comes for the first time is served before a crowd of guessers, and pushes one of them out of a full queue.
package final class HashingSlots: Sendable {
    private struct Waiter {
        let number: UInt64
        let weight: Int
        let since: ContinuousClock.Instant
        let admission: CheckedContinuation<Bool, Never>

        var order: (Int, UInt64) { (weight, number) }
    }

    private struct State {
        var running = 0
        var arrivals: UInt64 = 0
        var waiting: [Waiter] = []
    }

    private let atOnce: Int
    private let queueLimit: Int
    private let patience: Duration
    private let threads = DispatchQueue(label: "tidegate.scrypt", attributes: .concurrent)
    private let state = Mutex(State())

    /// 4 × 32 MiB is what sign-ins may take of the host's memory.
    package init(atOnce: Int = 4, queue: Int = 64, patience: Duration = .seconds(8)) {
        self.atOnce = atOnce
        self.patience = patience
        queueLimit = queue
    }

    /// How many run and how many wait, for metrics.
    package var counts: (running: Int, waiting: Int) { state.withLock { ($0.running, $0.waiting.count) } }

    /// Throws `tooManyAttempts` when the queue is full of others who come before, or when they keep coming for longer than
    /// anybody should wait for an answer.
    package func run<Value: Sendable>(weight: Int, _ work: @escaping @Sendable () throws -> Value) async throws -> Value
    {
        guard await enter(weight: weight) else { throw ControlError.tooManyAttempts(retryAfter: .seconds(2)) }
        defer { leave() }
        return try await withCheckedThrowingContinuation { done in
            threads.async { done.resume(with: Result { try work() }) }
        }
    }

    private func enter(weight: Int) async -> Bool {
        await withCheckedContinuation { admission in
            let answers: [(CheckedContinuation<Bool, Never>, Bool)] = state.withLock { state in
                guard state.running >= atOnce else {
                    state.running += 1
                    return [(admission, true)]
                }
                state.arrivals += 1
                let waiter = Waiter(number: state.arrivals, weight: weight, since: .now, admission: admission)
                guard state.waiting.count >= queueLimit else {
                    state.waiting.append(waiter)
                    return []
                }
                guard let last = state.waiting.indices.max(by: { state.waiting[$0].order < state.waiting[$1].order }),
                    waiter.order < state.waiting[last].order
                else { return [(admission, false)] }
                let displaced = state.waiting.remove(at: last)
                state.waiting.append(waiter)
                return [(displaced.admission, false)]
            }
            for (admission, isIn) in answers { admission.resume(returning: isIn) }
        }
    }

    private func leave() {
        let now = ContinuousClock.now
        let (next, late): (CheckedContinuation<Bool, Never>?, [CheckedContinuation<Bool, Never>]) = state.withLock {
            state in
            let late = state.waiting.filter { now - $0.since > patience }.map(\.admission)
            if !late.isEmpty { state.waiting.removeAll { now - $0.since > patience } }
            guard let first = state.waiting.indices.min(by: { state.waiting[$0].order < state.waiting[$1].order })
            else {
                state.running -= 1
                return (nil, late)
            }
            return (state.waiting.remove(at: first).admission, late)
        }
        for admission in late { admission.resume(returning: false) }
        next?.resume(returning: true)
    }
}
