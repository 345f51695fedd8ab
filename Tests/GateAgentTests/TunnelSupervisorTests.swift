import GateAgent
import Synchronization
import Testing

/// A tunnel that does what the test says.
private final class FakeTunnel: Tunnel {
    private let up = Latch<Bool>()
    private let over = Latch<String>()

    func standUp() { up.set(true) }

    func drop(_ words: String) {
        up.set(false)
        over.set(words)
    }

    var isOver: Bool { over.value != nil }

    func waitUntilUp() async -> Bool { await up.wait() }
    func wait() async -> String { await over.wait() }
    func end() async { drop("ended") }
}

/// A value that is set once and waited for.
private final class Latch<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var waiters: [CheckedContinuation<Value, Never>] = []
    }

    private let state = Mutex(State())

    var value: Value? { state.withLock { $0.value } }

    func set(_ value: Value) {
        let waiters = state.withLock { state in
            guard state.value == nil else { return [CheckedContinuation<Value, Never>]() }
            state.value = value
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    func wait() async -> Value {
        await withCheckedContinuation { continuation in
            let value = state.withLock { state in
                if state.value == nil { state.waiters.append(continuation) }
                return state.value
            }
            if let value { continuation.resume(returning: value) }
        }
    }
}

/// A gateway, a clock and a spawner in one, driven by the test.
private final class World: Sendable {
    struct State {
        var registrations: [Result<TunnelSupervisor.Granted, TunnelSupervisor.Fault>] = []
        var registered = 0
        var tunnels: [FakeTunnel] = []
        var pulse = TunnelSupervisor.Pulse.answered
        var waits: [Duration] = []
        var notices: [TunnelSupervisor.Notice] = []
        var now = ContinuousClock.now
    }

    let state = Mutex(State())
    static let granted = TunnelSupervisor.Granted(
        lease: .init(port: 20_001, generation: 1), heartbeatSeconds: 10)

    /// Sleeps for the opening patience never end; a heartbeat's and a back-off's end at once.
    func performer(beats: Bool = false) -> TunnelSupervisor.Performer {
        .init(
            register: { () async throws(TunnelSupervisor.Fault) in
                let result = self.state.withLock { state in
                    state.registered += 1
                    return state.registrations.isEmpty ? .success(Self.granted) : state.registrations.removeFirst()
                }
                return try result.get()
            },
            heartbeat: { _ in self.state.withLock { $0.pulse } },
            open: { _ async throws(AgentError) in
                let tunnel = FakeTunnel()
                self.state.withLock { $0.tunnels.append(tunnel) }
                return tunnel
            },
            sleep: { duration in
                let isHeartbeat = duration >= .seconds(8) && duration <= .seconds(10)
                if duration >= .seconds(60) || (isHeartbeat && !beats) {
                    return try await Task.sleep(for: .seconds(3_600))
                }
                self.state.withLock { if !isHeartbeat { $0.waits.append(duration) } }
                try await Task.sleep(for: .milliseconds(1))
            },
            now: { self.state.withLock { $0.now } },
            notice: { notice in self.state.withLock { $0.notices.append(notice) } })
    }

    /// The n-th tunnel, once it was started.
    func tunnel(_ index: Int) async throws -> FakeTunnel {
        try await until { state in state.tunnels.count > index ? state.tunnels[index] : nil }
    }

    /// Waits for a fact, at most a minute.
    func until<Value: Sendable>(_ fact: @Sendable (State) -> Value?) async throws -> Value {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if let value = state.withLock({ fact($0) }) { return value }
            try await Task.sleep(for: .milliseconds(2))
        }
        throw TimedOut()
    }

    struct TimedOut: Error {}
}

@Suite struct TunnelSupervisorTests {
    @Test func aLostTunnelIsReplacedAfterRegisteringAgain() async throws {
        let world = World()
        let supervisor = TunnelSupervisor(machine: .init(stopsWhenRefused: true), performer: world.performer())
        async let outcome = supervisor.run()
        let first = try await world.tunnel(0)
        first.standUp()
        _ = try await world.until { $0.notices.contains(.tunnelUp) ? true : nil }
        first.drop("the connection ended")
        let second = try await world.tunnel(1)
        #expect(world.state.withLock { $0.registered } == 2)
        #expect(world.state.withLock { $0.waits.count } == 1)
        supervisor.stop()
        #expect(await outcome == .requested)
        #expect(second.isOver)
    }

    @Test func stopWhileNobodyAnswersEndsAtOnce() async throws {
        let world = World()
        world.state.withLock { state in
            state.registrations = (0..<1_000).map { _ in .failure(.init(.retryable(after: nil), "nobody answers")) }
        }
        let supervisor = TunnelSupervisor(machine: .init(stopsWhenRefused: true), performer: world.performer())
        async let outcome = supervisor.run()
        _ = try await world.until { $0.registered >= 3 ? true : nil }
        supervisor.stop()
        #expect(await outcome == .requested)
        #expect(world.state.withLock { $0.tunnels.isEmpty })
    }

    @Test func aHeartbeatThatFindsTheLeaseGoneRegistersAgain() async throws {
        let world = World()
        world.state.withLock { $0.pulse = .leaseGone }
        let supervisor = TunnelSupervisor(
            machine: .init(stopsWhenRefused: true), performer: world.performer(beats: true))
        async let outcome = supervisor.run()
        let first = try await world.tunnel(0)
        first.standUp()
        _ = try await world.tunnel(1)
        #expect(first.isOver)
        supervisor.stop()
        #expect(await outcome == .requested)
    }

    @Test func aSupersededAgentEndsItsTunnelAndStops() async throws {
        let world = World()
        world.state.withLock { $0.pulse = .failed(.init(.superseded, "another process")) }
        let supervisor = TunnelSupervisor(
            machine: .init(stopsWhenRefused: false), performer: world.performer(beats: true))
        async let outcome = supervisor.run()
        let tunnel = try await world.tunnel(0)
        tunnel.standUp()
        #expect(await outcome == .superseded)
        #expect(tunnel.isOver)
    }

    @Test func aCancelledSupervisorLeavesNoTunnel() async throws {
        let world = World()
        let supervisor = TunnelSupervisor(machine: .init(stopsWhenRefused: true), performer: world.performer())
        let task = Task { await supervisor.run() }
        let tunnel = try await world.tunnel(0)
        tunnel.standUp()
        task.cancel()
        _ = await task.value
        #expect(tunnel.isOver)
    }
}
