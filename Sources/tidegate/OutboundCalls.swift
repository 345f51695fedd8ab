import GateControl
import GateOutbound

extension OutboundClient {
    /// The gateway's one client for calls to others, which calls neither the gateway itself nor the machines behind it.
    convenience init(_ settings: ServeSettings) throws {
        var ownPorts = [settings.listen.port...settings.listen.port, settings.leasePorts]
        if settings.ssh == .managed { ownPorts.append(settings.sshListen.port...settings.sshListen.port) }
        do {
            try self.init(policy: OutboundPolicy(ownPorts: ownPorts), trustRoots: settings.outboundCAFile)
        } catch {
            throw StartFault("outbound-ca-file: \(error)")
        }
    }
}
