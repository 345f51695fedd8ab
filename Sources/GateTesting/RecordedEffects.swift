import GateControl
import Synchronization

/// Stands where sshd's processes and sockets are: remembers what was ended and says who holds which port.
package final class RecordedEffects: Sendable {
    private struct State {
        var ended: [SSHProcess] = []
        var keyChanges = 0
        var holders: [Int: PortHolder] = [:]
        var listening: Set<Int> = []
    }

    private let keys: KeyTable
    private let state = Mutex(State())

    /// Takes ended processes out of `keys`, as the watcher of real ones does.
    package init(keys: KeyTable) { self.keys = keys }

    /// Every process ended so far, in order.
    package var ended: [SSHProcess] { state.withLock { $0.ended } }
    package var keyChanges: Int { state.withLock { $0.keyChanges } }

    package func hold(_ port: Int, by holder: PortHolder?) { state.withLock { $0.holders[port] = holder } }
    package func listen(on ports: Set<Int>) { state.withLock { $0.listening = ports } }

    package var effects: SSHEffects {
        SSHEffects(
            end: { [self] processes in
                for process in processes { keys.ended(process) }
                state.withLock { $0.ended += processes }
            },
            keysChanged: { [self] in state.withLock { $0.keyChanges += 1 } },
            holder: { [self] _, port in state.withLock { $0.holders[port] } },
            listeningPorts: { [self] in state.withLock { $0.listening } })
    }
}
