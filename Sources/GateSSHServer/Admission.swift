import Synchronization

/// Which accepted connections may start an sshd now. One that hasn't logged in yet costs two processes, so they are counted:
/// in all and by source. What is over waits in line, up to a bound and a time; a storm behind one address is served in
/// turn instead of being turned away.
final class Admission: Sendable {
    struct Limits: Sendable {
        var unauthenticated = 100
        var perSource = 10
        var waiting = 4_096
        /// ssh's own ConnectTimeout in our agents is 10 s: older ones have given up.
        var patience = Duration.seconds(10)
    }

    struct Arrival: Sendable {
        let descriptor: Int32
        let source: String
        let since: ContinuousClock.Instant
    }

    enum Verdict { case start, wait, refuse }

    private struct State {
        var running = 0
        var bySource: [String: Int] = [:]
        var line: [Arrival] = []
    }

    private let limits: Limits
    private let state = Mutex(State())

    init(limits: Limits = Limits()) { self.limits = limits }

    func arrive(_ arrival: Arrival) -> Verdict {
        state.withLock { state in
            if fits(arrival.source, state) {
                take(arrival.source, &state)
                return .start
            }
            guard state.line.count < limits.waiting else { return .refuse }
            state.line.append(arrival)
            return .wait
        }
    }

    /// A connection logged in or ended: its place is free. Returns whom to start and whom to let go.
    func leave(_ source: String) -> (start: [Arrival], expired: [Arrival]) {
        state.withLock { state in
            state.running -= 1
            if let count = state.bySource[source] { state.bySource[source] = count > 1 ? count - 1 : nil }
            let now = ContinuousClock.now
            let expired = state.line.filter { now - $0.since > limits.patience }
            if !expired.isEmpty { state.line.removeAll { now - $0.since > limits.patience } }
            var start: [Arrival] = []
            var index = 0
            while index < state.line.count, state.running < limits.unauthenticated {
                if fits(state.line[index].source, state) {
                    let arrival = state.line.remove(at: index)
                    take(arrival.source, &state)
                    start.append(arrival)
                } else {
                    index += 1
                }
            }
            return (start, expired)
        }
    }

    /// Everybody still in line, who then isn't.
    func dismiss() -> [Arrival] {
        state.withLock { state in
            defer { state.line = [] }
            return state.line
        }
    }

    var counts: (running: Int, waiting: Int) { state.withLock { ($0.running, $0.line.count) } }

    private func fits(_ source: String, _ state: State) -> Bool {
        state.running < limits.unauthenticated && state.bySource[source, default: 0] < limits.perSource
    }

    private func take(_ source: String, _ state: inout State) {
        state.running += 1
        state.bySource[source, default: 0] += 1
    }
}
