import GateControl
import GateOutbound
import Synchronization
import Testing

/// Counts who is inside, and how many were at most.
private final class Inside: Sendable {
    private let state = Mutex((now: 0, most: 0))

    var most: Int { state.withLock { $0.most } }

    func enter() {
        state.withLock {
            $0.now += 1
            $0.most = max($0.most, $0.now)
        }
    }

    func leave() { state.withLock { $0.now -= 1 } }
}

@Suite struct CallSlotsTests {
    @Test func `more than fit wait, and more than may wait are refused`() async throws {
        let slots = CallSlots(places: 1, waiting: 1)
        try await slots.take()
        let waiter = Task { try await slots.take() }
        // The waiter is in the queue once a third caller is refused.
        let third = await Self.until { await Self.result { try await slots.take() } }
        #expect(third == .busy)
        slots.give()
        try await waiter.value
        slots.give()
        try await slots.take()
    }

    @Test func `who is cancelled while waiting leaves the queue and takes no place`() async throws {
        let slots = CallSlots(places: 1, waiting: 1)
        try await slots.take()
        let waiter = Task { await Self.result { try await slots.take() } }
        _ = await Self.until { await Self.result { try await slots.take() } }
        waiter.cancel()
        #expect(await waiter.value == .cancelled)
        slots.give()
        try await slots.take()
    }

    @Test func `never more than the places at once, whoever gives up`() async {
        let slots = CallSlots(places: 3, waiting: 1_000)
        let inside = Inside()
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<500 {
                group.addTask {
                    let call = Task {
                        guard (try? await slots.take()) != nil else { return }
                        inside.enter()
                        await Task.yield()
                        inside.leave()
                        slots.give()
                    }
                    if index % 3 == 0 { call.cancel() }
                    await call.value
                }
            }
        }
        #expect(inside.most <= 3)
        // All places came back.
        for _ in 0..<3 { #expect(await Self.result { try await slots.take() } == nil) }
    }

    private static func result(_ body: () async throws -> Void) async -> OutboundError? {
        do {
            try await body()
            return nil
        } catch { return error as? OutboundError }
    }

    /// A third caller may come before the waiter does and then waits itself; it is cancelled, and another one tries.
    private static func until(
        _ attempt: @escaping @Sendable () async -> OutboundError?
    ) async -> OutboundError? {
        while true {
            let task = Task { await attempt() }
            let timer = Task {
                try await Task.sleep(for: .milliseconds(200))
                task.cancel()
            }
            let answer = await task.value
            timer.cancel()
            if answer == .busy { return answer }
        }
    }
}
