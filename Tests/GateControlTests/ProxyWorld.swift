import GateControl
import GateModel
import GateSSH
import GateTesting

/// A gateway with an sshd of its own, whose proxies lead nowhere real.
struct ProxyWorld: Sendable {
    let gateway: TestGateway
    let proxies: ProxyService
    let keys: ForwardKeyService

    static func make(allowsLoopback: Bool = false) async throws -> ProxyWorld {
        let gateway = try await TestGateway.make()
        let proxies = ProxyService(
            gateway.dependencies,
            policy: ProxyPolicy(allowsLoopback: allowsLoopback, leasePorts: 20_000...20_099),
            own: OwnSSHD(host: "gate.example", port: 2222, login: "tidegate", hostKey: try SampleKeys.hostKey(1).line),
            scan: { _ in [try SampleKeys.hostKey(9)] })
        return ProxyWorld(
            gateway: gateway, proxies: proxies, keys: ForwardKeyService(gateway.dependencies, proxies: proxies))
    }

    func wish(_ target: String, _ port: Int, hostKey: ProxyWish.HostKey? = nil) throws -> ProxyWish {
        ProxyWish(
            place: (
                try SSHTarget(host: "jump.example", port: 22), try named("tidegate"),
                try hostKey ?? .given(SampleKeys.hostKey(2))
            ), target: try SSHTarget(host: target, port: port))
    }

    /// This gateway's own sshd as a proxy.
    @discardableResult
    func addOwn(_ name: String, _ target: String, _ port: Int, by caller: Caller? = nil) async throws -> Proxy {
        try await proxies.add(
            named(name), ProxyWish(place: nil, target: SSHTarget(host: target, port: port)), by: caller ?? gateway.admin
        ).proxy
    }

    /// Another host as a proxy, and what its sshd asks with.
    @discardableResult
    func addHost(_ name: String, _ target: String, _ port: Int) async throws -> (proxy: Proxy, host: Caller) {
        let added = try await proxies.add(named(name), wish(target, port), by: gateway.admin)
        guard let token = added.token else { throw BadSample() }
        return (added.proxy, try await gateway.caller(token.reveal()))
    }

    @discardableResult
    func register(
        key: UInt64, for proxy: String? = nil, by caller: Caller? = nil
    ) async throws -> ForwardKeyService.Registered {
        try await keys.register(
            SampleKeys.publicKey(key), for: proxy, label: named("ci"), lifetime: .seconds(7_200),
            by: caller ?? gateway.admin)
    }

    /// What this gateway's sshd is told of the key.
    func grant(key: UInt64, process: SSHProcess? = nil) throws -> KeyGrant? {
        try KeyLookup(gateway.dependencies).grant(
            for: SampleKeys.publicKey(key).fingerprint, process: process, source: "192.0.2.5")
    }

    func lines(_ key: TunnelKey, on proxy: String? = nil, by caller: Caller) async throws -> [String] {
        try await keys.lines(fingerprint: key.fingerprint, on: proxy, for: .oldestWithUTCExpiry, by: caller)
    }
}
