public import GateModel
public import GateSSH
import GateStore

/// Registration and heartbeat of agents that prove themselves with a key they share with others.
///
/// Such an agent gets a new key pair at each registration, and the answer may be lost; so every key stays good until a
/// newer one of its machine has logged in (`KeyLookup.loggedIn`).
public struct SharedKeyService: Sendable {
    static let keyLifetime = Duration.seconds(365 * 86_400)
    /// Keys of one machine that were handed out and never replaced by a login: more are an agent gone wrong.
    static let openKeys = 256

    let dependencies: ControlDependencies
    private let leaseLifetime: Duration

    public init(_ dependencies: ControlDependencies, leaseLifetime: Duration) {
        self.dependencies = dependencies
        self.leaseLifetime = leaseLifetime
    }

    private struct Outcome: Sendable {
        let machine: ID<Machine>
        let lease: Lease
        var displaced: Lease?
        var revoked: [String] = []
        var isNewPort = false
        var tookCandidate = false
    }

    /// Gives the agent its port and takes its new key. The port stays the same unless a stranger sits on it. An agent
    /// without an id gets one.
    public func register(
        _ agentID: AgentID?, publicKey: SSHPublicKey, by holder: SharedKeyHolder, source: String
    ) async throws -> (agentID: AgentID, lease: Lease) {
        guard let agentID = agentID ?? AgentID(rawValue: ID<Machine>.random().text) else {
            throw ControlError.agentIDTaken
        }
        var refusedPorts: Set<Int> = []
        for _ in 0..<8 {
            let now = dependencies.now()
            let current = try currentLease(of: agentID, holder: holder)
            var candidate: Int?
            if let current, isUsable(current), !refusedPorts.contains(current.port) {
                if let stranger = await strangerAfterWaiting(current.address, current.port) {
                    try await noteHeld(current.port, by: stranger, at: now)
                    refusedPorts.insert(current.port)
                    continue
                }
            } else {
                candidate = try await freePort(&refusedPorts, at: now)
            }
            let outcome: Outcome
            do {
                outcome = try await dependencies.database.write { [self, candidate, refusedPorts] tx in
                    try decide(
                        agentID, publicKey, holder, source: source, candidate: candidate, refused: refusedPorts,
                        at: now,
                        in: tx)
                }
            } catch is PortTaken {
                // The port is held by somebody the pool didn't know of: it stays marked, and another one is tried.
                continue
            } catch {
                if let candidate { dependencies.ports.giveBack(candidate) }
                if error is StoreError {
                    dependencies.keys.dropAll()
                    dependencies.leases.dropAll()
                }
                throw error
            }
            if let candidate, !outcome.tookCandidate { dependencies.ports.giveBack(candidate) }
            await settle(outcome, at: now)
            return (agentID, outcome.lease)
        }
        throw ControlError.leaseRangeFull
    }

    private func currentLease(of agentID: AgentID, holder: SharedKeyHolder) throws -> Lease? {
        let identity = dependencies.identity
        return try dependencies.database.readNow { tx in
            guard let agent = try tx.sharedKeyAgent(agentID, in: identity.tenant) else { return nil }
            try Self.admit(holder, to: agent)
            return try tx.lease(of: agent.machine, on: identity.gateway)
        }
    }

    static func admit(_ holder: SharedKeyHolder, to agent: SharedKeyAgent) throws {
        guard !agent.isEnrolled else { throw ControlError.agentIDTaken }
        guard holder.standing(agent) != .stranger else { throw ControlError.forbidden }
    }

    private func isUsable(_ lease: Lease) -> Bool {
        lease.address == dependencies.ports.address && dependencies.ports.range.contains(lease.port)
    }

    private func freePort(_ refused: inout Set<Int>, at now: Timestamp) async throws -> Int {
        while let port = dependencies.ports.take(for: dependencies.identity.tenant, at: now) {
            guard !refused.contains(port) else {
                // Once round: what is left is held by strangers.
                dependencies.ports.giveBack(port)
                break
            }
            guard let holder = dependencies.effects.holder(dependencies.ports.address, port) else { return port }
            try await noteHeld(port, by: holder, at: now)
            dependencies.ports.giveBack(port)
            refused.insert(port)
        }
        throw ControlError.leaseRangeFull
    }

    /// Whoever isn't our sshd and still sits on the port after half a second. Nobody is ever ended for a port.
    private func strangerAfterWaiting(_ address: String, _ port: Int) async -> PortHolder? {
        let deadline = ContinuousClock.now + .milliseconds(500)
        while case .stranger(let uid) = dependencies.effects.holder(address, port) {
            if ContinuousClock.now >= deadline { return .stranger(uid: uid) }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return nil
    }

    private func noteHeld(_ port: Int, by holder: PortHolder, at now: Timestamp) async throws {
        let event = dependencies.ownEvent(
            .leasePortHeld, subject: "port:\(port)", severity: .warning, outcome: .failed, at: now,
            details: [("holder", String(describing: holder))])
        try await dependencies.record(event)
    }

    /// One transaction. A candidate is left untaken when another registration gave the machine a port meanwhile.
    private func decide(
        _ agentID: AgentID, _ publicKey: SSHPublicKey, _ holder: SharedKeyHolder, source: String, candidate: Int?,
        refused: Set<Int>, at now: Timestamp, in tx: any Transaction
    ) throws -> Outcome {
        let (tenant, gateway) = (dependencies.identity.tenant, dependencies.identity.gateway)
        let machine = try claim(agentID, holder, source: source, at: now, in: tx)
        guard
            let generation = try tx.noteRegistration(
                of: machine, operatingSystem: "", agentVersion: "ssh-tunnel-gateway", source: source, hostKeys: [],
                raise: 1, at: now)
        else { throw ControlError.machineNotFound }
        let until = now + leaseLifetime
        var outcome: Outcome
        if let current = try tx.lease(of: machine, on: gateway), isUsable(current), !refused.contains(current.port) {
            guard
                let lease = try tx.renewLease(
                    of: machine, on: gateway, address: current.address, generation: generation, until: until)
            else { throw PortTaken() }
            outcome = Outcome(machine: machine, lease: lease)
        } else {
            guard let candidate else { throw PortTaken() }
            let displaced = try tx.endLease(
                of: machine, on: gateway, restsUntil: now + PortPool.rest, foreignUntil: now + PortPool.foreignRest)
            let lease = Lease(
                tenant: tenant, gateway: gateway, machine: machine, address: dependencies.ports.address,
                port: candidate, generation: generation, createdAt: now, expiresAt: until)
            guard try tx.takePort(lease) else { throw PortTaken() }
            outcome = Outcome(
                machine: machine, lease: lease, displaced: displaced, isNewPort: true, tookCandidate: true)
        }
        // The oldest is the one that may be logged in; it stays until a newer one does.
        let open = try tx.issuedKeys(of: machine, before: generation)
        for key in open.dropFirst().prefix(max(0, open.count - Self.openKeys + 1)) {
            outcome.revoked += try tx.revokeTunnelKey(key.id, at: now).map { [$0.fingerprint] } ?? []
        }
        try tx.insertTunnelKey(
            TunnelKey(
                id: .ordered(at: now), tenant: tenant, purpose: .reverse, fingerprint: publicKey.fingerprint,
                publicKey: publicKey.line, machine: machine, issue: generation, createdAt: now,
                loginUntil: now + Self.keyLifetime, connectionUntil: now + Self.keyLifetime), reach: [])
        try tx.appendAudit(
            dependencies.event(
                .machineRegistered, by: holder, source: source, machine: machine, at: now,
                details: [
                    ("agent_id", agentID.rawValue), ("port", String(outcome.lease.port)),
                    ("generation", String(generation)), ("fingerprint", publicKey.fingerprint),
                ]))
        return outcome
    }

    /// The agent's machine, made if it is new. Whoever holds the shared key may take a known one's place: nothing in the
    /// dialect proves more, so each time that it happens from elsewhere is written down.
    private func claim(
        _ agentID: AgentID, _ holder: SharedKeyHolder, source: String, at now: Timestamp, in tx: any Transaction
    ) throws -> ID<Machine> {
        let tenant = dependencies.identity.tenant
        guard let agent = try tx.sharedKeyAgent(agentID, in: tenant) else {
            try tx.requireUnknown(agentID, in: tenant)
            let id = ID<Machine>.random()
            let name = try tx.freeName(for: agentID, id: id, in: tenant)
            try tx.insertMachine(
                Machine(id: id, tenant: tenant, agentID: agentID, name: name, createdAt: now, updatedAt: now))
            try tx.insertSharedKeyAgent(id, tenant: tenant, owner: holder.owner, at: now)
            try tx.appendAudit(
                dependencies.event(
                    .machineAdded, by: holder, source: source, machine: id, at: now,
                    details: [("agent_id", agentID.rawValue), ("name", name.rawValue)]))
            return id
        }
        try Self.admit(holder, to: agent)
        if holder.standing(agent) == .heir {
            try takeOver(agent, holder, source: source, at: now, in: tx)
        } else if !agent.source.isEmpty, agent.source != source {
            try tx.appendAudit(
                dependencies.event(
                    .machineTakenOver, by: holder, source: source, machine: agent.machine, severity: .warning,
                    at: now, details: [("agent_id", agentID.rawValue), ("previous_source", agent.source)]))
        }
        return agent.machine
    }

    private func takeOver(
        _ agent: SharedKeyAgent, _ holder: SharedKeyHolder, source: String, at now: Timestamp, in tx: any Transaction
    ) throws {
        try tx.setSharedKeyOwner(holder.owner, of: agent.machine)
        try tx.appendAudit(
            dependencies.event(
                .machineSharedKeyChanged, by: holder, source: source, machine: agent.machine,
                severity: agent.owner == nil ? .info : .warning, at: now))
    }

    private func settle(_ outcome: Outcome, at now: Timestamp) async {
        dependencies.outdated.registered(outcome.machine)
        dependencies.leases.drop([outcome.machine])
        if let moved = outcome.displaced { dependencies.ports.rest(moved.port, tenant: moved.tenant, at: now) }
        if outcome.isNewPort { dependencies.keys.refresh(machines: [outcome.machine]) }
        await dependencies.cut(
            keys: outcome.revoked, machines: outcome.displaced == nil ? [] : [outcome.machine])
    }

    /// Moves the end of the lease. `machineNotFound` makes an agent of the dialect register again: also when one of its
    /// kind goes on with a superseded key.
    public func heartbeat(_ agentID: AgentID, by holder: SharedKeyHolder, source: String) async throws {
        let (identity, now) = (dependencies.identity, dependencies.now())
        let holding = try dependencies.leases.holding(of: .agent(agentID)) {
            try dependencies.database.readNow { tx in
                guard let agent = try tx.sharedKeyAgent(agentID, in: identity.tenant) else { return nil }
                return try tx.lease(of: agent.machine, on: identity.gateway).map { .init(lease: $0, agent: agent) }
            }
        }
        guard let lease = holding?.lease, let agent = holding?.agent, !agent.isEnrolled else {
            throw ControlError.machineNotFound
        }
        try Self.admit(holder, to: agent)
        guard !dependencies.outdated.contains(agent.machine) else { throw ControlError.machineNotFound }
        if holder.standing(agent) == .heir {
            try await dependencies.database.write { [self] tx in
                guard let agent = try tx.sharedKeyAgent(agent.machine), holder.standing(agent) == .heir else { return }
                try takeOver(agent, holder, source: source, at: now, in: tx)
            }
            dependencies.leases.drop([agent.machine])
        }
        let until = now + leaseLifetime
        guard try await dependencies.revive(lease, at: now, until: until) else { throw ControlError.machineNotFound }
        dependencies.leases.moved(.agent(agentID), generation: lease.generation, until: until)
        dependencies.hotState.beat(agent.machine, generation: lease.generation, at: now, leaseUntil: until)
    }
}
