public import GateModel
public import GateSSH
import GateStore

/// A person's keys for the jump to machines, and all keys as lists show them.
public struct TunnelKeyService: Sendable {
    public static let loginLifetimes: ClosedRange<Int> = 60...31_536_000
    public static let defaultLogin = 30 * 86_400
    public static let limit = 1_000
    public static let maximumMachines = 64

    /// A key with the machines it reaches and their leases.
    public struct Described: Sendable {
        public let key: TunnelKey
        public let machines: [(machine: Machine, lease: Lease?)]
    }

    private let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    /// Registers a key for the jump. `isNew` is false when this owner registered it before with the same reach: then
    /// its times stay as they were, unless no login was let in any more.
    public func add(
        _ publicKey: SSHPublicKey, machines names: [String], label: Label, login: Duration, connection: Duration,
        by caller: Caller
    ) async throws -> (key: Described, isNew: Bool) {
        try caller.require(.keys)
        let (now, gateway) = (dependencies.now(), dependencies.identity.gateway)
        let owner = caller.principal.user?.id
        let result = try await dependencies.database.write { [dependencies] tx in
            let machines = try tx.requireReach(names, by: caller, at: now)
            try tx.revokeExpiredTunnelKey(fingerprint: publicKey.fingerprint, at: now)
            if let existing = try tx.unrevokedTunnelKey(fingerprint: publicKey.fingerprint) {
                guard existing.tenant == caller.tenant, existing.purpose == .jump, existing.user == owner,
                    Set(try tx.reach(of: existing.id)) == Set(machines.map(\.id))
                else { throw ControlError.keyTaken }
                if existing.loginUntil <= now {
                    // It lives only for connections that stand: adding it again means that it should let in again.
                    try tx.renewTunnelKey(existing.id, loginUntil: now + login, connectionUntil: now + connection)
                    try tx.appendAudit(
                        dependencies.event(
                            .tunnelKeyRenewed, by: caller, subject: "tunnel-key:\(existing.id)", at: now,
                            details: [("login_until", (now + login).rfc3339)]))
                    guard let renewed = try tx.tunnelKey(existing.id) else { throw ControlError.tunnelKeyNotFound }
                    return (try tx.describe([renewed], on: gateway)[0], false)
                }
                return (try tx.describe([existing], on: gateway)[0], false)
            }
            guard try tx.liveTunnelKeyCount(of: owner, tenant: caller.tenant, purpose: .jump, at: now) < Self.limit
            else {
                throw ControlError.limitReached("One owner may hold \(Self.limit) keys; revoke some first.")
            }
            let key = TunnelKey(
                id: .ordered(at: now), tenant: caller.tenant, purpose: .jump, fingerprint: publicKey.fingerprint,
                publicKey: publicKey.line, label: label.rawValue, user: owner, createdAt: now, loginUntil: now + login,
                connectionUntil: now + connection)
            try tx.insertTunnelKey(key, reach: machines.map(\.id))
            try tx.appendAudit(
                dependencies.event(
                    .tunnelKeyAdded, by: caller, subject: "tunnel-key:\(key.id)", at: now,
                    details: [
                        ("purpose", "jump"), ("fingerprint", key.fingerprint),
                        ("machines", machines.map(\.agentID.rawValue).joined(separator: " ")),
                        ("login_until", key.loginUntil.rfc3339), ("connection_until", key.connectionUntil.rfc3339),
                    ]))
            return (try tx.describe([key], on: gateway)[0], true)
        }
        await dependencies.effects.keysChanged()
        return result
    }

    public func list(
        purpose: TunnelKey.Purpose?, machine name: String?, after: (createdAt: Timestamp, id: ID<TunnelKey>)?,
        limit: Int, by caller: Caller
    ) async throws -> [Described] {
        try caller.require(.keys)
        let gateway = dependencies.identity.gateway
        return try await dependencies.database.read { tx in
            // Who may not see everybody's access sees their own keys.
            let owner = caller.has(.accessRead) ? nil : caller.principal.user?.id
            var machine: ID<Machine>?
            if let name {
                machine = try
                    (tx.machine(called: name, in: caller.tenant) ?? tx.machine(named: name, in: caller.tenant))?.id
                if machine == nil { return [] }
            }
            let keys = try tx.tunnelKeys(
                in: caller.tenant, owner: owner, purpose: purpose, machine: machine, after: after, limit: limit)
            return try tx.describe(keys, on: gateway)
        }
    }

    /// The caller's own forward keys that aren't over, newest first.
    public func ownForwardKeys(by caller: Caller) async throws -> [TunnelKey] {
        try caller.require(.keys)
        guard let owner = caller.principal.user?.id else { return try await allForwardKeys(by: caller) }
        return try await liveForwardKeys(of: owner, by: caller)
    }

    /// Everybody's, at most `ForwardKeyService.listLimit`.
    public func allForwardKeys(by caller: Caller) async throws -> [TunnelKey] {
        try caller.require([.keys, .accessRead])
        return try await liveForwardKeys(of: nil, by: caller)
    }

    private func liveForwardKeys(of owner: ID<User>?, by caller: Caller) async throws -> [TunnelKey] {
        let now = dependencies.now()
        return try await dependencies.database.read { tx in
            try tx.liveForwardKeys(
                in: caller.tenant, owner: owner, at: now, limit: ForwardKeyService.listLimit)
        }
    }

    public func show(_ id: ID<TunnelKey>, by caller: Caller) async throws -> Described {
        try caller.require(.keys)
        let gateway = dependencies.identity.gateway
        return try await dependencies.database.read { tx in
            guard let key = try tx.tunnelKey(id, in: caller.tenant), caller.owns(key) || caller.has(.accessRead) else {
                throw ControlError.tunnelKeyNotFound
            }
            return try tx.describe([key], on: gateway)[0]
        }
    }

    /// Returns once the key's connections are gone. Idempotent for a key revoked before.
    public func revoke(_ id: ID<TunnelKey>, by caller: Caller) async throws {
        try caller.require(.keys)
        let now = dependencies.now()
        let key: TunnelKey
        do {
            key = try await dependencies.database.write { [dependencies] tx in
                guard let key = try tx.tunnelKey(id, in: caller.tenant), caller.owns(key) || caller.has(.accessWrite)
                else { throw ControlError.tunnelKeyNotFound }
                if try tx.revokeTunnelKey(id, at: now) != nil {
                    try tx.appendAudit(
                        dependencies.event(
                            .tunnelKeyRevoked, by: caller, subject: "tunnel-key:\(id)", at: now,
                            details: [("fingerprint", key.fingerprint)]))
                }
                return key
            }
        } catch let error as StoreError {
            dependencies.keys.dropAll()
            throw error
        }
        // Also for a key revoked before: an earlier call may have died between its commit and the cut.
        await dependencies.cut(keys: [key.fingerprint])
    }
}

extension Caller {
    fileprivate func owns(_ key: TunnelKey) -> Bool {
        guard let user = principal.user else { return false }
        return (key.purpose == .jump || key.purpose == .forward) && key.user == user.id
    }
}

extension Transaction {
    /// The machines of these names, all of which the caller may reach. A machine the caller may not even see is unknown.
    fileprivate func requireReach(_ names: [String], by caller: Caller, at now: Timestamp) throws -> [Machine] {
        let grants = try caller.principal.user.map { user in try openGrants(for: user) } ?? []
        return try names.map { name in
            // An agent_id or an id before a name, so that no machine can be named into another one's place.
            guard
                let machine = try machine(called: name, in: caller.tenant) ?? machine(named: name, in: caller.tenant)
            else { throw ControlError.machineNotFound }
            guard let user = caller.principal.user else { return machine }
            if AccessPolicy.decide(user, .ssh, on: machine, by: grants, at: now).isAllowed { return machine }
            throw AccessPolicy.maySee(machine, user, by: grants, at: now)
                ? ControlError.notGranted(machine: machine.name.rawValue) : .machineNotFound
        }
    }

    fileprivate func describe(
        _ keys: [TunnelKey], on gateway: ID<Gateway>
    ) throws -> [TunnelKeyService.Described] {
        try keys.map { key in
            let ids = key.purpose == .jump ? try reach(of: key.id) : key.machine.map { [$0] } ?? []
            let leases = try leases(of: ids, on: gateway)
            let machines = try ids.compactMap { id in try machine(id, in: key.tenant) }
            return TunnelKeyService.Described(
                key: key, machines: machines.map { machine in (machine, leases.first { $0.machine == machine.id }) })
        }
    }
}
