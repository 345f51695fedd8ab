/// Decides what the agent does next; never does it. No clock, no process, no await.
public struct TunnelStateMachine: Sendable {
    private enum State {
        /// Nothing happened yet. Left by `.started` and `.stopRequested`.
        case idle
        /// The gateway is being asked for the lease. Left by `.registered`, `.registrationFailed`, `.stopRequested`.
        case registering(attempt: Int)
        /// `ssh` runs. Left by `.processEnded`, by bad news of a heartbeat, and by `.stopRequested`.
        case running(Lease, attempt: Int)
        /// `ssh` was told to end. Left by `.processEnded`.
        case ending(then: Next)
        /// A timer runs. Left by `.timerFired` and `.stopRequested`.
        case waiting(attempt: Int)
        case stopped
    }

    private enum Next { case register, finish(Outcome) }

    /// What the gateway granted: the port that is bound there, and the generation that fences older processes.
    public struct Lease: Equatable, Sendable {
        public let port: Int
        public let generation: Int64

        public init(port: Int, generation: Int64) {
            self.port = port
            self.generation = generation
        }
    }

    /// Why a registration or a heartbeat brought nothing.
    public enum Failure: Equatable, Sendable {
        /// Nobody answered, or not now; the gateway may have said how many seconds to wait.
        case retryable(after: Int?)
        /// The gateway doesn't know the agent key any more.
        case credentialGone
        /// Another process registered with this machine's key.
        case superseded
    }

    public enum Event: Equatable, Sendable {
        case started
        case registered(Lease)
        case registrationFailed(Failure)
        /// The child ended; `afterStableRun` when its tunnel had stood for 30 s.
        case processEnded(afterStableRun: Bool)
        case heartbeatAnswered
        case heartbeatLeaseGone
        case heartbeatFailed(Failure)
        case timerFired
        case stopRequested
    }

    /// Why it is over.
    public enum Outcome: Equatable, Sendable { case requested, superseded, credentialGone }

    public enum Action: Equatable, Sendable {
        case register
        case spawn(Lease)
        case startTimer(Delay)
        case terminateProcess
        case finish(Outcome)
        case none
    }

    private var state: State = .idle
    private let stopsWhenRefused: Bool

    /// `stopsWhenRefused`: end when the credential is gone, as a service should; otherwise ask again every 5 minutes,
    /// for a person who watches and may put it right.
    public init(stopsWhenRefused: Bool) { self.stopsWhenRefused = stopsWhenRefused }

    public mutating func handle(_ event: Event) -> Action {
        switch (state, event) {
        case (.idle, .started):
            return register(attempt: 0)

        case (.registering(let attempt), .registered(let lease)):
            state = .running(lease, attempt: attempt)
            return .spawn(lease)

        case (.registering(let attempt), .registrationFailed(let failure)):
            return after(failure, attempt: attempt)

        // A denied login is a reason to try again like any other: while the gateway can't decide it lets nobody in,
        // and only the control plane can say that the key is gone.
        case (.running(_, let attempt), .processEnded(let stable)):
            return wait(attempt: stable ? 0 : attempt + 1, atLeast: nil, from: stable ? 0 : attempt)

        case (.running, .heartbeatLeaseGone):
            return end(then: .register)

        case (.running, .heartbeatFailed(.superseded)):
            return end(then: .finish(.superseded))

        // The gateway cuts the tunnel of a revoked key by itself; what the agent does next is told by the register
        // call that follows.
        case (.running, .heartbeatFailed(.credentialGone)):
            return end(then: .register)

        case (.ending(let next), .processEnded):
            switch next {
            case .register: return register(attempt: 0)
            case .finish(let outcome): return finish(outcome)
            }

        case (.waiting(let attempt), .timerFired):
            return register(attempt: attempt)

        case (.running, .stopRequested), (.ending, .stopRequested):
            return end(then: .finish(.requested))

        case (.idle, .stopRequested), (.registering, .stopRequested), (.waiting, .stopRequested):
            return finish(.requested)

        case (.idle, _), (.registering, _), (.running, _), (.ending, _), (.waiting, _), (.stopped, _):
            // Late events race with our own decisions; they are normal.
            return .none
        }
    }

    private mutating func register(attempt: Int) -> Action {
        state = .registering(attempt: attempt)
        return .register
    }

    private mutating func after(_ failure: Failure, attempt: Int) -> Action {
        switch failure {
        case .retryable(let seconds): return wait(attempt: attempt + 1, atLeast: seconds, from: attempt)
        case .superseded: return finish(.superseded)
        case .credentialGone where stopsWhenRefused: return finish(.credentialGone)
        case .credentialGone:
            state = .waiting(attempt: 0)
            return .startTimer(Delay(floor: 300, ceiling: 300))
        }
    }

    private mutating func wait(attempt: Int, atLeast seconds: Int?, from step: Int) -> Action {
        state = .waiting(attempt: attempt)
        return .startTimer(Delay(attempt: step, atLeast: seconds))
    }

    private mutating func end(then next: Next) -> Action {
        let wasEnding = if case .ending = state { true } else { false }
        state = .ending(then: next)
        return wasEnding ? .none : .terminateProcess
    }

    private mutating func finish(_ outcome: Outcome) -> Action {
        state = .stopped
        return .finish(outcome)
    }
}
