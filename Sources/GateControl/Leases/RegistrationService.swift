public import GateModel
public import GateSSH
import GateStore

/// An agent's registration and heartbeat: a fresh key, a stable port, a generation.
public struct RegistrationService: Sendable {
    /// What an agent reports.
    public struct Report: Sendable {
        public let publicKey: SSHPublicKey
        public let hostKeys: [SSHHostKey]
        public let operatingSystem: Label
        public let agentVersion: Label

        public init(publicKey: SSHPublicKey, hostKeys: [SSHHostKey], operatingSystem: Label, agentVersion: Label) {
            self.publicKey = publicKey
            self.hostKeys = hostKeys
            self.operatingSystem = operatingSystem
            self.agentVersion = agentVersion
        }
    }

    /// A reverse key lives as long as its lease is renewed, and no longer than this without a new registration.
    static let keyLifetime = Duration.seconds(365 * 86_400)

    /// A node whose token the Fleet revokes stops being heard, and nothing else tells the gateway of it: its tunnel ends
    /// with its lease, so that one is short.
    static let nodeLeaseLifetime = Duration.seconds(3_600)

    private let dependencies: ControlDependencies
    private let leaseLifetime: Duration
    private let duplicates = DuplicateGuard()

    public init(_ dependencies: ControlDependencies, leaseLifetime: Duration) {
        self.dependencies = dependencies
        self.leaseLifetime = leaseLifetime
    }

    private struct Outcome: Sendable {
        var machine: Machine
        var lease: Lease
        var revoked: [String] = []
        var displacedPort: Lease?
        /// The same key asked again: its own tunnel may well stand on the port.
        var isRepeat = false
    }

    /// Registers the machine's key and answers when its port is free for `ssh -R`. The same public key again keeps the
    /// generation; another one raises it, revokes the key before and ends that key's connections.
    public func register(_ report: Report, by caller: Caller) async throws -> (machine: Machine, lease: Lease) {
        guard case .machine(let machine, let tenant, let credential) = caller.principal else {
            throw ControlError.forbidden
        }
        let gateway = dependencies.identity.gateway
        if let wait = duplicates.hold(machine, at: dependencies.now()),
            try await !isCurrent(report.publicKey, of: machine)
        {
            dependencies.refusals.note(
                .init(
                    kind: "registration", reason: "duplicate-agent", source: caller.source,
                    credential: caller.credential))
            throw ControlError.duplicateAgent(retryAfter: wait)
        }
        var refusedPorts: Set<Int> = []
        for _ in 0..<8 {
            let now = dependencies.now()
            let current = try await dependencies.database.read { tx in try tx.lease(of: machine, on: gateway) }
            let keeps = current.map { isUsable($0) && !refusedPorts.contains($0.port) } ?? false
            let candidate = keeps ? nil : dependencies.ports.take(for: tenant, at: now)
            if !keeps {
                guard let candidate else { throw ControlError.leaseRangeFull }
                if refusedPorts.contains(candidate) {
                    // Once round: what is left is held by strangers.
                    dependencies.ports.giveBack(candidate)
                    throw ControlError.leaseRangeFull
                }
                if let holder = dependencies.effects.holder(dependencies.ports.address, candidate) {
                    try await noteHeld(candidate, by: holder, at: now)
                    dependencies.ports.giveBack(candidate)
                    refusedPorts.insert(candidate)
                    continue
                }
            }
            let outcome: Outcome
            do {
                outcome = try await dependencies.database.write { [self] tx in
                    try decide(
                        report, machine: machine, tenant: tenant, credential: credential, candidate: candidate,
                        at: now, caller: caller, in: tx)
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
            if let moved = outcome.displacedPort { dependencies.ports.rest(moved.port, tenant: moved.tenant, at: now) }
            await end(outcome, machine: machine, at: now)
            if !outcome.isRepeat, let holder = await holderAfterWaiting(outcome.lease) {
                try await noteHeld(outcome.lease.port, by: holder, at: now)
                refusedPorts.insert(outcome.lease.port)
                continue
            }
            return (outcome.machine, outcome.lease)
        }
        throw ControlError.leaseRangeFull
    }

    private func isUsable(_ lease: Lease) -> Bool {
        lease.address == dependencies.ports.address && dependencies.ports.range.contains(lease.port)
    }

    private func isCurrent(_ key: SSHPublicKey, of machine: ID<Machine>) async throws -> Bool {
        try await dependencies.database.read { tx in
            try tx.unrevokedTunnelKey(fingerprint: key.fingerprint)?.machine == machine
        }
    }

    /// Ends what the registration displaced: the old key's connections, and jumps to a port that moved.
    private func end(_ outcome: Outcome, machine: ID<Machine>, at now: Timestamp) async {
        dependencies.leases.drop([machine])
        let displaced = dependencies.keys.revoke(
            fingerprints: outcome.revoked, machines: outcome.displacedPort == nil ? [] : [machine])
        dependencies.keys.refresh(machines: [machine])
        await dependencies.effects.keysChanged()
        guard !displaced.isEmpty else { return }
        duplicates.displaced(machine, at: now)
        await dependencies.effects.end(displaced)
    }

    /// Waits up to 500 ms for the port to be free; the holder, if somebody still holds it who isn't our sshd.
    private func holderAfterWaiting(_ lease: Lease) async -> PortHolder? {
        let clock = ContinuousClock()
        let deadline = clock.now + .milliseconds(500)
        while let holder = dependencies.effects.holder(lease.address, lease.port) {
            if case .stranger = holder, clock.now >= deadline { return holder }
            // A session of ours that takes longer to die: ssh's own retry finds the port free.
            if case .ownSSHD = holder, clock.now >= deadline { return nil }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return nil
    }

    private func noteHeld(_ port: Int, by holder: PortHolder, at now: Timestamp) async throws {
        let event = dependencies.ownEvent(
            .leasePortHeld, subject: "port:\(port)", severity: .warning, outcome: .failed, at: now,
            details: [("holder", String(describing: holder))])
        try await dependencies.record(event)
    }

    /// One transaction; throws `PortTaken` when somebody else took the candidate port first.
    private func decide(
        _ report: Report, machine id: ID<Machine>, tenant: ID<Tenant>, credential: MachineCredential,
        candidate: Int?, at now: Timestamp, caller: Caller, in tx: any Transaction
    ) throws -> Outcome {
        let gateway = dependencies.identity.gateway
        // Asked again inside: a key revoked since it was authenticated must not register.
        guard try tx.stands(credential, of: id, at: now), var machine = try tx.machine(id, in: tenant) else {
            throw ControlError.unauthenticated
        }
        try tx.revokeExpiredTunnelKey(fingerprint: report.publicKey.fingerprint, at: now)
        let existing = try tx.unrevokedTunnelKey(fingerprint: report.publicKey.fingerprint)
        if let existing, existing.machine != id { throw ControlError.keyTaken }
        let isSame = existing?.purpose == .reverse
        var revoked: [String] = []
        if !isSame { revoked = try tx.revokeOwnTunnelKeys(of: id, at: now).map(\.fingerprint) }
        guard
            let generation = try tx.noteRegistration(
                of: id, operatingSystem: report.operatingSystem.rawValue, agentVersion: report.agentVersion.rawValue,
                source: caller.source, hostKeys: report.hostKeys.map(\.line), raise: isSame ? 0 : 1, at: now)
        else { throw ControlError.unauthenticated }
        let until = now + lifetime(for: credential)
        var displaced: Lease?
        var lease: Lease?
        if let candidate {
            displaced = try tx.endLease(
                of: id, on: gateway, restsUntil: now + PortPool.rest, foreignUntil: now + PortPool.foreignRest)
            let fresh = Lease(
                tenant: tenant, gateway: gateway, machine: id, address: dependencies.ports.address, port: candidate,
                generation: generation, createdAt: now, expiresAt: until)
            guard try tx.takePort(fresh) else { throw PortTaken() }
            lease = fresh
        } else {
            lease = try tx.renewLease(
                of: id, on: gateway, address: dependencies.ports.address, generation: generation, until: until)
        }
        guard let lease else { throw PortTaken() }
        if !isSame {
            try tx.insertTunnelKey(
                TunnelKey(
                    id: .ordered(at: now), tenant: tenant, purpose: .reverse, fingerprint: report.publicKey.fingerprint,
                    publicKey: report.publicKey.line, user: credential.owner, machine: id,
                    agentKey: credential.agentKey, createdAt: now,
                    loginUntil: now + Self.keyLifetime, connectionUntil: now + Self.keyLifetime), reach: [])
        }
        if let key = credential.agentKey { try tx.touchAgentKey(key, at: now) }
        try tx.appendAudit(
            dependencies.event(
                .machineRegistered, by: caller, subject: "machine:\(id)", at: now,
                details: [
                    ("port", String(lease.port)), ("generation", String(generation)),
                    ("fingerprint", report.publicKey.fingerprint),
                ]))
        machine.hostKeys = report.hostKeys.map(\.line)
        return Outcome(machine: machine, lease: lease, revoked: revoked, displacedPort: displaced, isRepeat: isSame)
    }

    /// The end of the lease as the heartbeat moved it.
    public func heartbeat(generation: Int64, by caller: Caller) async throws -> Timestamp {
        guard case .machine(let machine, _, let credential) = caller.principal else { throw ControlError.forbidden }
        let (gateway, now) = (dependencies.identity.gateway, dependencies.now())
        let holding = try dependencies.leases.holding(of: .machine(machine)) {
            try dependencies.database.readNow { tx in
                try tx.lease(of: machine, on: gateway).map { LeaseCache.Holding(lease: $0) }
            }
        }
        // A generation ahead of ours is no other process's work: the store was restored from a backup. Registering again
        // brings both together; "superseded" would end the agent for good.
        guard let lease = holding?.lease, generation <= lease.generation else { throw ControlError.leaseNotFound }
        guard lease.generation == generation else { throw ControlError.generationSuperseded }
        let until = now + lifetime(for: credential)
        guard try await dependencies.revive(lease, at: now, until: until) else { throw ControlError.leaseNotFound }
        dependencies.leases.moved(.machine(machine), generation: generation, until: until)
        dependencies.hotState.beat(machine, generation: generation, at: now, leaseUntil: until)
        return until
    }
}

extension ControlDependencies {
    /// Renews a lease that is past its end and still the machine's; false when it is gone by now, true also for one that
    /// needs none of this. After a step of the clock, or a long stop of the gateway, registering anew would cut the
    /// sessions of a tunnel that is as good as before. Written at once, because the sweep may be on its way.
    func revive(_ lease: Lease, at now: Timestamp, until: Timestamp) async throws -> Bool {
        guard lease.expiresAt <= now else { return true }
        return try await database.write { tx in
            try tx.extendLease(of: lease.machine, on: lease.gateway, generation: lease.generation, until: until)
        }
    }
}

extension RegistrationService {
    private func lifetime(for credential: MachineCredential) -> Duration {
        switch credential {
        case .agentKey, .agentAPIKey: leaseLifetime
        case .node: min(leaseLifetime, Self.nodeLeaseLifetime)
        }
    }
}

extension MachineCredential {
    /// The agent key that brings a tunnel key, so that revoking the one ends the other.
    fileprivate var agentKey: ID<AgentKey>? { if case .agentKey(let key) = self { key } else { nil } }
    /// The user whose node brings it: disabling them ends it.
    fileprivate var owner: ID<User>? { if case .node(let owner, _) = self { owner } else { nil } }
}

/// Somebody else took the port between choosing and taking it: the transaction is undone and tried with another.
struct PortTaken: Error {}
