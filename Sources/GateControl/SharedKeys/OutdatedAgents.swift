import GateModel
import Synchronization

/// Machines of which some process still tries to log in with a superseded key. Agents of the dialect never ask why they
/// are refused; only an "unknown agent" at their heartbeat makes them register again.
final class OutdatedAgents: Sendable {
    private let machines = Mutex<Set<ID<Machine>>>([])

    func tried(_ machine: ID<Machine>) { machines.withLock { _ = $0.insert(machine) } }
    func registered(_ machine: ID<Machine>) { machines.withLock { _ = $0.remove(machine) } }
    func contains(_ machine: ID<Machine>) -> Bool { machines.withLock { $0.contains(machine) } }
}
