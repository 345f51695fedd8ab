public import GateModel
public import GateStore
import Synchronization

/// The ports this gateway may lease, and which of them are held or rest. The store has the last word; this only spares
/// it a search.
public final class PortPool: Sendable {
    /// A freed port is given to nobody for this long: live jumps to it are being ended.
    public static let rest = Duration.seconds(60)
    /// And to no other tenant for this long.
    public static let foreignRest = Duration.seconds(86_400)

    public let address: String
    public let range: ClosedRange<Int>

    private struct State {
        var held: Set<Int> = []
        var rests: [Int: PortRest] = [:]
        var next: Int
    }

    private let state: Mutex<State>

    public init(address: String, range: ClosedRange<Int>, held: [Int], rests: [PortRest]) {
        self.address = address
        self.range = range
        self.state = Mutex(
            State(
                held: Set(held), rests: Dictionary(rests.map { ($0.port, $0) }) { _, last in last },
                next: Int.random(in: range)))
    }

    /// Marks a free port as held and returns it; nil when every port is held or rests. Round robin, so that a freed port
    /// comes back as late as the range allows.
    package func take(for tenant: ID<Tenant>, at now: Timestamp) -> Int? {
        state.withLock { state in
            for _ in 0..<range.count {
                let port = state.next
                state.next = port == range.upperBound ? range.lowerBound : port + 1
                if state.held.contains(port) { continue }
                if let rest = state.rests[port] {
                    if rest.restsUntil > now || (rest.tenant != tenant && rest.foreignUntil > now) { continue }
                    state.rests[port] = nil
                }
                state.held.insert(port)
                return port
            }
            return nil
        }
    }

    /// Leases were made without `take`: brought over from another gateway.
    package func hold(_ ports: [Int]) {
        state.withLock { $0.held.formUnion(ports) }
    }

    /// Gives back a port that `take` marked and that was not leased after all.
    package func giveBack(_ port: Int) {
        state.withLock { _ = $0.held.remove(port) }
    }

    /// The lease of this port ended.
    public func rest(_ port: Int, tenant: ID<Tenant>, at now: Timestamp) {
        state.withLock { state in
            state.held.remove(port)
            state.rests[port] = PortRest(
                port: port, tenant: tenant, restsUntil: now + Self.rest, foreignUntil: now + Self.foreignRest)
        }
    }

    public var heldCount: Int { state.withLock { $0.held.count } }
}
