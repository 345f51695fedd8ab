import GateControl
import Synchronization

/// The use cases are built before the ssh side that carries out what they decide; this is filled in between, before
/// anything is listened on.
final class DeferredEffects: Sendable {
    private let effects = Mutex<SSHEffects?>(nil)

    func set(_ effects: SSHEffects) { self.effects.withLock { $0 = effects } }

    private var current: SSHEffects? { effects.withLock { $0 } }

    var closures: SSHEffects {
        SSHEffects(
            end: { await self.current?.end($0) },
            keysChanged: { await self.current?.keysChanged() },
            holder: { self.current?.holder($0, $1) },
            listeningPorts: { self.current?.listeningPorts() ?? [] },
            rsaKeysImported: { await self.current?.rsaKeysImported() })
    }
}
