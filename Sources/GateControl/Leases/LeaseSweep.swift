import GateModel
import GateStore

/// Ends what time has ended: leases nobody renewed, grants, and tunnel keys whose connections may go on no longer. Nothing depends
/// on it but the end of live connections and the return of ports; every read filters by time itself.
public struct LeaseSweep: Sendable {
    /// Heartbeats reach the store a few seconds late; a lease is swept only after this much more.
    public static let margin = Duration.seconds(60)
    static let batch = 200

    private let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    /// One pass, in small transactions; where nothing is over it only reads. Returns how many leases and keys ended.
    /// Leases are left alone unless `endsLeases` (see `ClockSteps`); keys never are, because they fail closed.
    @discardableResult
    public func run(endsLeases: Bool = true) async throws -> Int {
        let (now, gateway) = (dependencies.now(), dependencies.identity.gateway)
        // The writer belongs to those who change something; this runs every second and mostly finds nothing.
        let due = try await dependencies.database.read { tx in
            let leases = endsLeases ? try tx.expiredLeases(on: gateway, at: now - Self.margin, limit: 1) : []
            let keys = try tx.expiredTunnelKeys(at: now, limit: 1)
            let grants = try tx.expiredGrants(at: now, limit: 1)
            let rests = try tx.hasForgottenRests(on: gateway, before: now)
            return (leases: !leases.isEmpty, keys: !keys.isEmpty, grants: !grants.isEmpty, rests: rests)
        }
        var count = 0
        while due.leases {
            let ended = try await dependencies.database.write { [dependencies] tx in
                var ended: [(lease: Lease, keys: [String])] = []
                for lease in try tx.expiredLeases(on: gateway, at: now - Self.margin, limit: Self.batch) {
                    _ = try tx.endLease(
                        of: lease.machine, on: gateway, restsUntil: now + PortPool.rest,
                        foreignUntil: now + PortPool.foreignRest)
                    let keys = try tx.revokeOwnTunnelKeys(of: lease.machine, at: now).map(\.fingerprint)
                    try tx.appendAudit(
                        dependencies.ownEvent(
                            .leaseExpired, tenant: lease.tenant, subject: "machine:\(lease.machine)", at: now,
                            details: [("port", String(lease.port))]))
                    ended.append((lease, keys))
                }
                return ended
            }
            dependencies.leases.drop(ended.map(\.lease.machine))
            for (lease, _) in ended { dependencies.ports.rest(lease.port, tenant: lease.tenant, at: now) }
            if !ended.isEmpty {
                await dependencies.cut(keys: ended.flatMap(\.keys), machines: ended.map(\.lease.machine))
            }
            count += ended.count
            if ended.count < Self.batch { break }
        }
        while due.keys {
            let ended = try await dependencies.database.write { [dependencies] tx in
                let keys = try tx.expiredTunnelKeys(at: now, limit: Self.batch)
                for key in keys where try tx.revokeTunnelKey(key.id, at: now) != nil {
                    try tx.appendAudit(
                        dependencies.ownEvent(.tunnelKeyExpired, subject: "tunnel-key:\(key.id)", at: now))
                }
                return keys.map(\.fingerprint)
            }
            if !ended.isEmpty { await dependencies.cut(keys: ended) }
            count += ended.count
            if ended.count < Self.batch { break }
        }
        while due.grants {
            let ended = try await dependencies.database.write { [dependencies] tx in
                let grants = try tx.expiredGrants(at: now, limit: Self.batch)
                for grant in grants where try tx.endGrant(grant.id, at: now) {
                    try tx.appendAudit(
                        dependencies.ownEvent(
                            .grantExpired, tenant: grant.tenant, subject: "grant:\(grant.id)", at: now))
                }
                return grants
            }
            for (tenant, grants) in Dictionary(grouping: ended, by: \.tenant) {
                for subject in Set(grants.map(\.subject)) { try await dependencies.decideAnew(subject, in: tenant) }
            }
            count += ended.count
            if ended.count < Self.batch { break }
        }
        if dependencies.hotState.takeUncheckedReach() {
            await dependencies.endWhatLostReach(dependencies.keys.livePersonalKeys)
        }
        if due.rests { try await dependencies.database.write { tx in try tx.forgetRests(on: gateway, before: now) } }
        return count
    }
}
