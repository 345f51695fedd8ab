import GateModel
import GateStore

/// Ends what time has ended: leases nobody renewed, and tunnel keys whose connections may go on no longer. Nothing depends
/// on it but the end of live connections and the return of ports; every read filters by time itself.
public struct LeaseSweep: Sendable {
    /// Heartbeats reach the store a few seconds late; a lease is swept only after this much more.
    public static let margin = Duration.seconds(60)
    static let batch = 200

    private let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    /// One pass, in small transactions. Returns how many leases and keys ended.
    @discardableResult
    public func run() async throws -> Int {
        let (now, gateway) = (dependencies.now(), dependencies.identity.gateway)
        var count = 0
        while true {
            let ended = try await dependencies.database.write { [dependencies] tx in
                var ended: [(lease: Lease, keys: [String])] = []
                for lease in try tx.expiredLeases(on: gateway, at: now - Self.margin, limit: Self.batch) {
                    _ = try tx.endLease(
                        of: lease.machine, on: gateway, restsUntil: now + PortPool.rest,
                        foreignUntil: now + PortPool.foreignRest)
                    let keys = try tx.revokeOwnTunnelKeys(of: lease.machine, at: now).map(\.fingerprint)
                    try tx.appendAudit(
                        dependencies.ownEvent(
                            "lease.expired", tenant: lease.tenant, subject: "machine:\(lease.machine)", at: now,
                            details: [("port", String(lease.port))]))
                    ended.append((lease, keys))
                }
                return ended
            }
            for (lease, _) in ended { dependencies.ports.rest(lease.port, tenant: lease.tenant, at: now) }
            if !ended.isEmpty {
                await dependencies.cut(keys: ended.flatMap(\.keys), machines: ended.map(\.lease.machine))
            }
            count += ended.count
            if ended.count < Self.batch { break }
        }
        while true {
            let ended = try await dependencies.database.write { [dependencies] tx in
                let keys = try tx.expiredTunnelKeys(at: now, limit: Self.batch)
                for key in keys where try tx.revokeTunnelKey(key.id, at: now) != nil {
                    try tx.appendAudit(
                        dependencies.ownEvent("tunnel-key.expired", subject: "tunnel-key:\(key.id)", at: now))
                }
                return keys.map(\.fingerprint)
            }
            if !ended.isEmpty { await dependencies.cut(keys: ended) }
            count += ended.count
            if ended.count < Self.batch { break }
        }
        try await dependencies.database.write { tx in try tx.forgetRests(on: gateway, before: now) }
        return count
    }
}
