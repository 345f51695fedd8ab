public import GateModel
import GateStore

/// Which machine a credential acts as on the routes of agents.
///
/// In this order: an agent key is its machine; a node token is the machine whose agent id is the node's instance; the key
/// that agents share is the machine the request names. The last two never are a machine that has an unrevoked key of its
/// own, nor one that another program's shared key registered. Whatever else acts for a user is nobody here.
public struct AgentAdmission: Sendable {
    /// Names the machine that a shared key means; with any other credential it may only repeat what that says.
    public static let header = "X-Agent-ID"

    private let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    /// A principal that is a machine. Throws `unauthenticated` for whoever is no agent.
    public func admit(_ caller: Caller, claiming claim: String?) async throws -> Principal {
        switch caller.principal {
        case .machine(let id, let tenant, _):
            guard let claim else { return caller.principal }
            let machine = try await dependencies.database.read { tx in try tx.machine(id, in: tenant) }
            // The machine is the key's, whatever the request says; one that says otherwise is somebody's mistake or trick.
            guard machine?.agentID.rawValue == claim else { throw ControlError.unauthenticated }
            return caller.principal
        case .user(let owner, .node(let instance), _):
            guard let instance, claim == nil || claim == instance.rawValue else { throw ControlError.unauthenticated }
            // Whoever may add machines could take this one's place by a key as well: the Fleet's word adds nothing to that.
            guard owner.role.scopes.contains(.machinesWrite) else { throw ControlError.forbidden }
            let machine = try await machine(instance, in: owner.tenant, for: caller)
            return .machine(machine, tenant: owner.tenant, by: .node(owner: owner.id, instance: instance))
        case .environment(.agent, let tenant):
            guard let id = claim.flatMap({ AgentID(rawValue: $0) }) else {
                throw ControlError.invalid(field: Self.header, rule: "the machine's agent_id, \(AgentID.rule)")
            }
            let machine = try await machine(id, in: tenant, for: caller)
            try await noteUse(of: machine, id, by: caller)
            return .machine(machine, tenant: tenant, by: .agentAPIKey)
        case .user, .localAdministrator, .environment: throw ControlError.unauthenticated
        }
    }

    private func machine(_ id: AgentID, in tenant: ID<Tenant>, for caller: Caller) async throws -> ID<Machine> {
        let (machine, hasOther) = try await dependencies.database.read { tx -> (ID<Machine>?, Bool) in
            guard let machine = try tx.machine(id, in: tenant) else { return (nil, false) }
            return (machine, try !tx.mayGoWithoutKey(machine))
        }
        guard let machine else { throw ControlError.machineNotFound }
        guard !hasOther else {
            dependencies.refusals.note(
                .init(
                    kind: "agent", reason: "machine-has-a-key", source: caller.source, credential: caller.credential))
            throw ControlError.forbidden
        }
        return machine
    }

    /// Every use, since it could be anybody's.
    private func noteUse(of machine: ID<Machine>, _ id: AgentID, by caller: Caller) async throws {
        let event = dependencies.event(
            .agentAPIKeyUsed, by: caller, subject: "machine:\(machine)", severity: .warning,
            at: dependencies.now(), details: [("agent_id", id.rawValue)])
        try await dependencies.record(event)
    }
}

extension Transaction {
    /// Whether a machine may be acted for by what isn't a key of its own: it holds none, expired ones included, and isn't
    /// an agent of ssh-tunnel-gateway.
    func mayGoWithoutKey(_ machine: ID<Machine>) throws(StoreError) -> Bool {
        guard try liveAgentKeyCount(of: machine) == 0 else { return false }
        return try sharedKeyAgent(machine) == nil
    }

    /// Whether what a machine showed is still good: asked inside the transaction that acts on it, since it may have been
    /// withdrawn after it was authenticated.
    func stands(_ credential: MachineCredential, of machine: ID<Machine>, at now: Timestamp) throws(StoreError) -> Bool
    {
        switch credential {
        case .agentKey(let key): return try isLive(key, at: now)
        case .agentAPIKey: return try mayGoWithoutKey(machine)
        case .node(let owner, _):
            guard let user = try user(owner), user.disabledAt == nil, user.role.scopes.contains(.machinesWrite) else {
                return false
            }
            return try mayGoWithoutKey(machine)
        }
    }
}
