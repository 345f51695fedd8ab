import GateControl
import GateHTTP
import Synchronization

/// What readiness and the acceptor ask: can the store be asked, is the gateway stopping, is the system's sshd safe.
final class GatewayHealth: Sendable {
    private struct State {
        var isStoreReachable = true
        var isStopping = false
        var isStarting = true
        var sshdFaults: [String] = []
        var damage: String?
        var warnings: [String] = []
    }

    private let state = Mutex(State())
    private let auditing: Auditing

    init(auditing: Auditing = Auditing()) { self.auditing = auditing }

    func store(isReachable: Bool) { state.withLock { $0.isStoreReachable = isReachable } }
    func started() { state.withLock { $0.isStarting = false } }
    func stopping() { state.withLock { $0.isStopping = true } }
    func sshd(faults: [String]) { state.withLock { $0.sshdFaults = faults } }
    func damaged(_ finding: String) { state.withLock { $0.damage = finding } }
    func warn(_ text: String) { state.withLock { $0.warnings.append(text) } }

    /// May a login be decided now? If not, it is better left waiting than refused.
    var canDecide: Bool { state.withLock { $0.isStoreReachable && !$0.isStopping } }

    var readiness: Readiness {
        state.withLock { state in
            var faults = state.sshdFaults
            if state.isStarting { faults.append("starting") }
            if state.isStopping { faults.append("stopping") }
            if !state.isStoreReachable { faults.append("the store can't be asked") }
            if let damage = state.damage { faults.append("the store is damaged: \(damage)") }
            let audit = auditing.health.faults
            return Readiness(
                faults: faults + (auditing.isRequired ? audit : []),
                warnings: state.warnings + (auditing.isRequired ? [] : audit))
        }
    }
}
