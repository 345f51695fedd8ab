import GateModel
import Synchronization

/// Notices two agent processes that take one machine's place from each other.
///
/// Only a registration that displaced a *live* connection counts: a restarted agent finds its old connection gone, a
/// clone finds it alive every time.
final class DuplicateGuard: Sendable {
    static let limit = 5
    static let window = Duration.seconds(600)

    private let displacements = Mutex<[ID<Machine>: [Timestamp]]>([:])

    /// How long to hold the machine's next take-over; nil when it may go ahead.
    func hold(_ machine: ID<Machine>, at now: Timestamp) -> Duration? {
        displacements.withLock { table in
            guard let times = table[machine]?.filter({ now - $0 < Self.window }), let oldest = times.first else {
                table[machine] = nil
                return nil
            }
            table[machine] = times
            return times.count >= Self.limit ? max(.seconds(1), Self.window - (now - oldest)) : nil
        }
    }

    func displaced(_ machine: ID<Machine>, at now: Timestamp) {
        displacements.withLock { $0[machine, default: []].append(now) }
    }
}
