public import GateModel
public import GateStore

/// Adding, listing, changing and removing machines.
public struct MachineService: Sendable {
    /// A machine with what the gateway knows about it right now.
    public struct Described: Sendable {
        public let machine: Machine
        public let lease: Lease?
        public let connected: Bool
    }

    /// A parsed merge patch: nil leaves the field as it is.
    public struct Patch: Sendable {
        public var name: MachineName?
        public var organization: Label?
        public var site: Label?
        public var tags: [Tag]?

        public init(name: MachineName? = nil, organization: Label? = nil, site: Label? = nil, tags: [Tag]? = nil) {
            self.name = name
            self.organization = organization
            self.site = site
            self.tags = tags
        }
    }

    private let dependencies: ControlDependencies
    private let enrolment: EnrolmentService

    public init(_ dependencies: ControlDependencies) {
        self.dependencies = dependencies
        self.enrolment = EnrolmentService(dependencies)
    }

    /// Adds a machine with its first enrolment token.
    public func add(
        name: MachineName, agentID: AgentID?, organization: Label, site: Label, tags: [Tag],
        enrolmentLifetime: Duration,
        by caller: Caller
    ) async throws -> (machine: Described, enrolment: EnrolmentToken, text: Secret<String>) {
        try caller.require(.machinesWrite)
        let now = dependencies.now()
        guard let agentID = agentID ?? AgentID(rawValue: name.rawValue) else {
            throw ControlError.nameTaken(field: "agent_id")
        }
        let machine = Machine(
            id: .random(), tenant: caller.tenant, agentID: agentID, name: name, organization: organization.rawValue,
            site: site.rawValue, tags: Array(Set(tags)).sorted(), createdAt: now, updatedAt: now)
        let minted = MintedCredential(.enrolmentToken)
        let token = try await dependencies.database.write { [self] tx in
            try tx.requireFree(name: name, agentID: agentID, in: caller.tenant)
            try tx.insertMachine(machine)
            try tx.appendAudit(
                dependencies.event(
                    .machineAdded, by: caller, subject: "machine:\(machine.id)", at: now,
                    details: [("agent_id", agentID.rawValue), ("name", name.rawValue)]))
            return try enrolment.insert(
                for: machine, minted: minted, lifetime: enrolmentLifetime, at: now, by: caller, in: tx)
        }
        return (Described(machine: machine, lease: nil, connected: false), token, minted.text)
    }

    public func list(_ filter: MachineFilter, by caller: Caller) async throws -> [Described] {
        try caller.require(.machinesRead)
        let (now, gateway) = (dependencies.now(), dependencies.identity.gateway)
        let (machines, leases) = try await dependencies.database.read { tx in
            var filter = filter
            filter.selectors = try tx.visibility(of: caller, at: now)
            let machines = try tx.machines(filter, in: caller.tenant)
            return (machines, try tx.leases(of: machines.map(\.id), on: gateway))
        }
        return describe(machines, leases: leases)
    }

    public func show(_ name: String, by caller: Caller) async throws -> Described {
        try caller.require(.machinesRead)
        let (now, gateway) = (dependencies.now(), dependencies.identity.gateway)
        let (machine, lease) = try await dependencies.database.read { tx in
            guard let machine = try tx.machine(called: name, in: caller.tenant),
                try tx.visibility(of: caller, at: now)?.contains(where: { $0.selects(machine) }) ?? true
            else { throw ControlError.machineNotFound }
            return (machine, try tx.lease(of: machine.id, on: gateway))
        }
        return describe([machine], leases: lease.map { [$0] } ?? [])[0]
    }

    /// Answers with the row as stored.
    public func patch(_ name: String, _ patch: Patch, by caller: Caller) async throws -> Described {
        try caller.require(.machinesWrite)
        let (now, gateway) = (dependencies.now(), dependencies.identity.gateway)
        let (machine, lease, movesGrants) = try await dependencies.database.write { [dependencies] tx in
            guard var machine = try tx.machine(called: name, in: caller.tenant) else {
                throw ControlError.machineNotFound
            }
            var changes: [(name: String, value: String)] = []
            if let name = patch.name, name != machine.name {
                if let other = try tx.machine(named: name.rawValue, in: caller.tenant), other.id != machine.id {
                    throw ControlError.nameTaken(field: "name")
                }
                changes.append(("name", name.rawValue))
                machine.name = name
            }
            if let organization = patch.organization?.rawValue, organization != machine.organization {
                changes.append(("organization", organization))
                machine.organization = organization
            }
            if let site = patch.site?.rawValue, site != machine.site {
                changes.append(("site", site))
                machine.site = site
            }
            if let tags = patch.tags.map({ Array(Set($0)).sorted() }), tags != machine.tags {
                changes.append(("tags", tags.map(\.rawValue).joined(separator: " ")))
                machine.tags = tags
                try tx.replaceTags(tags, of: machine.id, tenant: machine.tenant)
            }
            if !changes.isEmpty {
                machine.updatedAt = now
                guard try tx.updateMachine(machine) else { throw ControlError.machineNotFound }
                try tx.appendAudit(
                    dependencies.event(
                        .machineChanged, by: caller, subject: "machine:\(machine.id)", at: now, details: changes))
            }
            guard let stored = try tx.machine(machine.id, in: caller.tenant) else { throw ControlError.machineNotFound }
            let movesGrants = changes.contains { ["organization", "site", "tags"].contains($0.name) }
            return (stored, try tx.lease(of: stored.id, on: gateway), movesGrants)
        }
        // Grants name machines by these: whoever doesn't reach it any more is cut off.
        if movesGrants { try await dependencies.decideAnew(reaching: machine.id) }
        return describe([machine], leases: lease.map { [$0] } ?? [])[0]
    }

    /// Removes the machine, revokes everything that was its own, ends its tunnel and every jump into it.
    /// Idempotent for a machine removed before.
    public func remove(_ name: String, by caller: Caller) async throws {
        try caller.require(.machinesWrite)
        let (now, gateway) = (dependencies.now(), dependencies.identity.gateway)
        let removed: (machine: ID<Machine>, keys: [String], lease: Lease?)
        do {
            removed = try await dependencies.database.write { [dependencies] tx in
                guard let machine = try tx.machine(called: name, in: caller.tenant) else {
                    guard let gone = try tx.removedMachine(called: name, in: caller.tenant) else {
                        throw ControlError.machineNotFound
                    }
                    // An earlier call may have died between its commit and the cut.
                    return (gone, [], nil)
                }
                _ = try tx.removeMachine(machine.id, in: caller.tenant, at: now)
                try tx.revokeAgentKeys(of: machine.id, at: now)
                try tx.revokeEnrolments(of: machine.id, at: now)
                let keys = try tx.revokeOwnTunnelKeys(of: machine.id, at: now).map(\.fingerprint)
                try tx.revokeJumpKeys(onlyReaching: machine.id, at: now)
                let lease = try tx.endLease(
                    of: machine.id, on: gateway, restsUntil: now + PortPool.rest,
                    foreignUntil: now + PortPool.foreignRest)
                try tx.appendAudit(
                    dependencies.event(
                        .machineRemoved, by: caller, subject: "machine:\(machine.id)", at: now,
                        details: [("agent_id", machine.agentID.rawValue), ("name", machine.name.rawValue)]))
                return (machine.id, keys, lease)
            }
        } catch let error as StoreError {
            dependencies.keys.dropAll()
            dependencies.credentials.dropAll()
            dependencies.leases.dropAll()
            throw error
        }
        dependencies.credentials.drop { $0.isMachine(removed.machine) }
        dependencies.leases.drop([removed.machine])
        if let lease = removed.lease {
            dependencies.ports.rest(lease.port, tenant: lease.tenant, at: now)
        }
        await dependencies.cut(keys: removed.keys, machines: [removed.machine])
    }

    private func describe(_ machines: [Machine], leases: [Lease]) -> [Described] {
        let tunnels = dependencies.keys.machinesWithTunnel
        let listening = tunnels.isEmpty ? [] : dependencies.effects.listeningPorts()
        return machines.map { machine in
            var machine = machine
            if let beat = dependencies.hotState.unflushedHeartbeat(of: machine.id) { machine.lastSeenAt = beat }
            let lease = leases.first { $0.machine == machine.id }
            let connected = tunnels.contains(machine.id) && lease.map { listening.contains($0.port) } == true
            return Described(machine: machine, lease: lease, connected: connected)
        }
    }
}

extension Principal {
    func isMachine(_ id: ID<Machine>) -> Bool {
        if case .machine(id, _, _) = self { true } else { false }
    }
}

extension Transaction {
    /// Which machines the caller may see; nil: every one of the tenant.
    fileprivate func visibility(of caller: Caller, at now: Timestamp) throws -> [Grant.Selector]? {
        guard let user = caller.principal.user else { return nil }
        return try AccessPolicy.visibility(of: user, at: now) { try openGrants(for: user) }
    }

    fileprivate func requireFree(name: MachineName, agentID: AgentID, in tenant: ID<Tenant>) throws {
        guard try machine(named: name.rawValue, in: tenant) == nil else { throw ControlError.nameTaken(field: "name") }
        if let other = try machine(called: agentID.rawValue, in: tenant), other.agentID == agentID {
            throw ControlError.nameTaken(field: "agent_id")
        }
    }
}
