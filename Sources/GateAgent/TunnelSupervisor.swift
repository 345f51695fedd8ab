/// One running ssh that carries the tunnel.
public protocol Tunnel: Sendable {
    /// Waits until the far end confirmed the forwarding; false when the process ended before.
    func waitUntilUp() async -> Bool
    /// Waits until the process has ended; the words say why, as far as ssh did.
    func wait() async -> String
    /// Ends the process with all it started, and waits for it.
    func end() async
}

/// Performs what `TunnelStateMachine` decides: owns the child, the timer and the heartbeat.
public actor TunnelSupervisor {
    /// A granted registration.
    public struct Granted: Sendable, Equatable {
        public let lease: TunnelStateMachine.Lease
        public let heartbeatSeconds: Int

        public init(lease: TunnelStateMachine.Lease, heartbeatSeconds: Int) {
            self.lease = lease
            self.heartbeatSeconds = heartbeatSeconds
        }
    }

    /// A refused or failed call, with words for the log.
    public struct Fault: Error, Sendable, Equatable {
        public let failure: TunnelStateMachine.Failure
        public let words: String

        public init(_ failure: TunnelStateMachine.Failure, _ words: String) {
            self.failure = failure
            self.words = words
        }
    }

    /// What a heartbeat brought.
    public enum Pulse: Sendable, Equatable {
        case answered
        case leaseGone
        case failed(Fault)
    }

    /// What a person or a service supervisor wants to know.
    public enum Notice: Sendable, Equatable {
        case registrationFailed(String)
        case tunnelUp
        case tunnelEnded(String, wasStable: Bool)
        /// It ended because we said so.
        case tunnelStopped
        case waiting(Duration)
        case heartbeatFailed(String)
    }

    /// Everything the supervisor needs from outside.
    public struct Performer: Sendable {
        public var register: @Sendable () async throws(Fault) -> Granted
        public var heartbeat: @Sendable (Int64) async -> Pulse
        /// Starts the tunnel of the last registration; the number counts starts.
        public var open: @Sendable (Int) async throws(AgentError) -> any Tunnel
        public var sleep: @Sendable (Duration) async throws -> Void
        public var now: @Sendable () -> ContinuousClock.Instant
        public var notice: @Sendable (Notice) -> Void

        public init(
            register: @escaping @Sendable () async throws(Fault) -> Granted,
            heartbeat: @escaping @Sendable (Int64) async -> Pulse,
            open: @escaping @Sendable (Int) async throws(AgentError) -> any Tunnel,
            sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
            now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
            notice: @escaping @Sendable (Notice) -> Void = { _ in }
        ) {
            self.register = register
            self.heartbeat = heartbeat
            self.open = open
            self.sleep = sleep
            self.now = now
            self.notice = notice
        }
    }

    /// A tunnel that stood this long was no failed attempt.
    public static let stableRun = Duration.seconds(30)
    /// How long ssh may take to log in and bind the port.
    static let openingPatience = Duration.seconds(60)

    private var machine: TunnelStateMachine
    private let performer: Performer
    private let events: AsyncStream<TunnelStateMachine.Event>
    private let send: AsyncStream<TunnelStateMachine.Event>.Continuation
    private var generator = SystemRandomNumberGenerator()
    private var tunnel: (any Tunnel)?
    private var isEnding = false
    private var starts = 0
    private var granted: Granted?
    private var isUp = false

    public init(machine: TunnelStateMachine, performer: Performer) {
        self.machine = machine
        self.performer = performer
        (events, send) = AsyncStream.makeStream(of: TunnelStateMachine.Event.self)
    }

    /// Asks for the end; `run` returns when the child has gone.
    public nonisolated func stop() { send.yield(.stopRequested) }

    /// Keeps the tunnel until it is told to stop or the gateway says that it should.
    public func run() async -> TunnelStateMachine.Outcome {
        var outcome = TunnelStateMachine.Outcome.requested
        await withDiscardingTaskGroup { group in
            var hasHeart = false
            send.yield(.started)
            events: for await event in events {
                switch machine.handle(event) {
                case .register:
                    group.addTask { await self.register() }
                case .spawn:
                    starts += 1
                    isEnding = false
                    let attempt = starts - 1
                    group.addTask { await self.attend(attempt: attempt) }
                    if !hasHeart { group.addTask { await self.beat() } }
                    hasHeart = true
                case .startTimer(let delay):
                    let wait = delay.drawn(using: &generator)
                    performer.notice(.waiting(wait))
                    group.addTask {
                        guard (try? await self.performer.sleep(wait)) != nil else { return }
                        self.send.yield(.timerFired)
                    }
                case .terminateProcess:
                    isEnding = true
                    if let tunnel { group.addTask { await tunnel.end() } }
                case .finish(let reason):
                    outcome = reason
                    break events
                case .none:
                    break
                }
            }
            group.cancelAll()
            // Cancelled from outside: nothing of ours stays behind. In here, because the group waits for the task that
            // waits for the tunnel.
            await tunnel?.end()
        }
        return outcome
    }

    private func register() async {
        do {
            let granted = try await performer.register()
            self.granted = granted
            send.yield(.registered(granted.lease))
        } catch {
            if !Task.isCancelled { performer.notice(.registrationFailed(error.words)) }
            send.yield(.registrationFailed(error.failure))
        }
    }

    private func attend(attempt: Int) async {
        let tunnel: any Tunnel
        do { tunnel = try await performer.open(attempt) } catch {
            performer.notice(.tunnelEnded(error.description, wasStable: false))
            send.yield(.processEnded(afterStableRun: false))
            return
        }
        self.tunnel = tunnel
        // The order to end it may have come while it was being started.
        if isEnding || Task.isCancelled { await tunnel.end() }
        let upSince = await waitUntilUp(tunnel)
        if upSince != nil {
            isUp = true
            performer.notice(.tunnelUp)
        }
        let words = await tunnel.wait()
        isUp = false
        self.tunnel = nil
        let isStable = upSince.map { performer.now() - $0 >= Self.stableRun } ?? false
        performer.notice(isEnding ? .tunnelStopped : .tunnelEnded(words, wasStable: isStable))
        send.yield(.processEnded(afterStableRun: isStable))
    }

    /// When the tunnel stood; nil when it ended before, or took too long and was ended for it.
    private func waitUntilUp(_ tunnel: any Tunnel) async -> ContinuousClock.Instant? {
        await withTaskGroup(of: Bool?.self) { group in
            group.addTask { await tunnel.waitUntilUp() }
            group.addTask {
                guard (try? await self.performer.sleep(Self.openingPatience)) != nil else { return nil }
                await tunnel.end()
                return false
            }
            defer { group.cancelAll() }
            for await isUp in group {
                if isUp == true { return performer.now() }
                if isUp == false { return nil }
                // Cancelled: `run` ends the tunnel, and the other task sees that.
                await tunnel.end()
            }
            return nil
        }
    }

    /// One heartbeat after another, whatever becomes of the tunnels.
    private func beat() async {
        while !Task.isCancelled {
            let interval = max(granted?.heartbeatSeconds ?? 30, 1)
            // A fifth of spread: machines that were registered in one second don't call in one second for ever.
            let pause = Duration.milliseconds(Int.random(in: interval * 800...interval * 1_000, using: &generator))
            guard (try? await performer.sleep(pause)) != nil else { return }
            guard isUp, let generation = granted?.lease.generation else { continue }
            let pulse = await performer.heartbeat(generation)
            // The actor may have registered anew meanwhile; old news is no news.
            guard isUp, granted?.lease.generation == generation else { continue }
            switch pulse {
            case .answered: send.yield(.heartbeatAnswered)
            case .leaseGone: send.yield(.heartbeatLeaseGone)
            case .failed(let fault):
                performer.notice(.heartbeatFailed(fault.words))
                send.yield(.heartbeatFailed(fault.failure))
            }
        }
    }
}
