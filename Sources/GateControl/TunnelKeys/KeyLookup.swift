public import GateModel
import GateSSH
import GateStore

/// Answers sshd's question "may this key log in, and to what?".
public struct KeyLookup: Sendable {
    public enum Failure: Error {
        /// The store can't be asked, or changes faster than it can be read: sshd is told nothing, which refuses.
        case couldNotAsk
    }

    let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    /// The answer if it is in memory, else nil; registers the process either way.
    public func remembered(_ fingerprint: String, process: SSHProcess?, source: String) -> KeyGrant? {
        if case .grant(let grant) = dependencies.keys.ask(
            fingerprint, by: process, source: source, at: dependencies.now())
        {
            return grant
        }
        return nil
    }

    /// One indexed read at most, blocking the calling thread; nil when no living key has this fingerprint.
    public func grant(for fingerprint: String, process: SSHProcess?, source: String) throws -> KeyGrant? {
        for _ in 0..<3 {
            let now = dependencies.now()
            switch dependencies.keys.ask(fingerprint, by: process, source: source, at: now) {
            case .grant(let grant): return grant
            case .miss(let epoch):
                let gateway = dependencies.identity.gateway
                let read: KeyGrant?
                var superseding: ID<Machine>?
                do {
                    (read, superseding) = try dependencies.database.readNow { tx in
                        guard let key = try tx.unrevokedTunnelKey(fingerprint: fingerprint) else {
                            return (nil, try tx.machine(superseding: fingerprint))
                        }
                        return (try tx.grant(of: key, on: gateway, at: now), nil)
                    }
                } catch {
                    throw Failure.couldNotAsk
                }
                guard let grant = read else {
                    if let process { dependencies.keys.forget(fingerprint, by: process) }
                    if let superseding { dependencies.outdated.tried(superseding) }
                    dependencies.refusals.note(
                        .init(kind: "tunnel-key", reason: "unknown", source: source, credential: ""))
                    return nil
                }
                if dependencies.keys.fill(grant, by: process, epoch: epoch) { return grant }
            }
        }
        throw Failure.couldNotAsk
    }

    /// What an earlier gateway's connection may go on with; nil when its key is dead.
    public func grant(for key: ID<TunnelKey>) async throws -> KeyGrant? {
        let (gateway, now) = (dependencies.identity.gateway, dependencies.now())
        return try await dependencies.database.read { tx in
            guard let key = try tx.tunnelKey(key), key.revokedAt == nil, key.connectionUntil > now else { return nil }
            return try tx.grant(of: key, on: gateway, at: now, ignoringLoginEnd: true)
        }
    }

    /// Every grant alive now, for the mode without a helper, where sshd reads a file.
    public func allGrants() async throws -> [KeyGrant] {
        let (gateway, now) = (dependencies.identity.gateway, dependencies.now())
        return try await dependencies.database.read { tx in
            try tx.liveTunnelKeys(at: now).compactMap { key in try tx.grant(of: key, on: gateway, at: now) }
        }
    }
}

extension Transaction {
    /// What the key may do now; nil when it may do nothing.
    func grant(
        of key: TunnelKey, on gateway: ID<Gateway>, at now: Timestamp, ignoringLoginEnd: Bool = false
    ) throws -> KeyGrant? {
        guard ignoringLoginEnd || key.loginUntil > now else { return nil }
        let reach: KeyGrant.Reach
        var until = key.loginUntil
        var machines: [ID<Machine>] = []
        var awaited: Set<ID<Machine>> = []
        var allowFrom: [String] = []
        switch key.purpose {
        case .control:
            reach = .control
            machines = key.machine.map { [$0] } ?? []
        case .reverse:
            guard let machine = key.machine, let lease = try lease(of: machine, on: gateway), lease.expiresAt > now
            else {
                return nil
            }
            reach = .reverse(GatePort(address: lease.address, port: lease.port))
            until = min(until, lease.expiresAt)
            machines = [machine]
        case .jump:
            let (reachable, end, blocks) = try permittedReach(of: key, at: now)
            until = min(until, end ?? until)
            allowFrom = blocks
            let leases = try leases(of: reachable, on: gateway).filter { $0.expiresAt > now }
            guard !leases.isEmpty else { return nil }
            reach = .jump(leases.map { GatePort(address: $0.address, port: $0.port) })
            machines = leases.map(\.machine)
            awaited = Set(reachable).subtracting(machines)
        case .forward:
            guard let blocks = try forwardReach(of: key) else { return nil }
            let own = try activeProxies(in: key.tenant).filter { proxy in
                proxy.gateway == gateway && (key.proxy == nil || key.proxy == proxy.id)
            }
            guard !own.isEmpty else { return nil }
            reach = .forward(try own.map { try SSHTarget(host: $0.targetHost, port: $0.targetPort) })
            allowFrom = blocks
        }
        return KeyGrant(
            key: key.id, tenant: key.tenant, fingerprint: key.fingerprint, publicKey: key.publicKey, reach: reach,
            machines: machines, awaited: awaited, agentKey: key.agentKey, issue: key.issue,
            allowFrom: allowFrom, loginUntil: until)
    }

    /// The machines a jump key names and its owner may reach now, when the first of those permissions ends, and from where
    /// it may be used. A key of the gateway's own operator reaches all that it names.
    private func permittedReach(
        of key: TunnelKey, at now: Timestamp
    ) throws -> (machines: [ID<Machine>], until: Timestamp?, allowFrom: [String]) {
        guard let id = key.user else { return (try reach(of: key.id), nil, []) }
        guard let user = try user(id), user.disabledAt == nil else { return ([], nil, []) }
        if user.role == .admin { return (try reach(of: key.id), nil, user.allowFrom) }
        let grants = try openGrants(for: user)
        guard !grants.isEmpty else { return ([], nil, []) }
        var permitted: [ID<Machine>] = []
        var until: Timestamp?
        for machine in try machines(try reach(of: key.id), in: key.tenant) {
            let decision = AccessPolicy.decide(user, .ssh, on: machine, by: grants, at: now)
            guard decision.isAllowed else { continue }
            permitted.append(machine.id)
            if let end = decision.until { until = min(until ?? end, end) }
        }
        return (permitted, until, user.allowFrom)
    }
}
