import GateControl
import Synchronization

/// A bounded number of places, with a bounded queue before them, first come first served.
package final class CallSlots: Sendable {
    private struct State {
        var free: Int
        var queue: [(id: UInt64, continuation: CheckedContinuation<Bool, Never>)] = []
        var nextID: UInt64 = 0
        /// Cancelled before they were in the queue.
        var cancelled: Set<UInt64> = []
    }

    private let waiting: Int
    private let state: Mutex<State>

    package init(places: Int, waiting: Int) {
        self.waiting = waiting
        state = Mutex(State(free: places))
    }

    /// Waits for a place, which has to be given back; throws `busy` when too many wait, `cancelled` when the task is.
    package func take() async throws(OutboundError) {
        let id: UInt64? = try state.withLock { state throws(OutboundError) in
            if state.free > 0 {
                state.free -= 1
                return nil
            }
            guard state.queue.count < waiting else { throw OutboundError.busy }
            state.nextID += 1
            return state.nextID
        }
        guard let id else { return }
        let isGiven = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return false }
                    // A place may have become free since.
                    if state.free > 0 {
                        state.free -= 1
                        return true
                    }
                    state.queue.append((id, continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> CheckedContinuation<Bool, Never>? in
                guard let index = state.queue.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.queue.remove(at: index).continuation
            }
            waiter?.resume(returning: false)
        }
        state.withLock { _ = $0.cancelled.remove(id) }
        guard isGiven else { throw .cancelled }
    }

    package func give() {
        let next = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard !state.queue.isEmpty else {
                state.free += 1
                return nil
            }
            return state.queue.removeFirst().continuation
        }
        next?.resume(returning: true)
    }
}
