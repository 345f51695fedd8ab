import GateModel
import GateStore

/// Which shared key a request was made with. It names a group of agents and proves nothing about a single one.
public struct SharedKeyHolder: Sendable, Hashable {
    /// Its place in the configuration, counted from 1: what logs and the audit trail call it.
    public let number: Int
    /// A digest that stays the same over restarts and is slow to guess the key from.
    public let owner: [UInt8]
    /// It is the only key there is, so what belonged to an earlier one may pass to it: else changing the one key would
    /// strand every agent.
    public let isOnly: Bool

    public init(number: Int, owner: [UInt8], isOnly: Bool) {
        self.number = number
        self.owner = owner
        self.isOnly = isOnly
    }

    enum Standing { case owner, heir, stranger }

    func standing(_ agent: SharedKeyAgent) -> Standing {
        if agent.owner == owner { return .owner }
        return agent.owner == nil || isOnly ? .heir : .stranger
    }
}

extension ControlDependencies {
    /// An event of an agent that is known by its shared key alone.
    func event(
        _ action: AuditAction, by holder: SharedKeyHolder, source: String, machine: ID<Machine>,
        severity: AuditEvent.Severity = .info, at now: Timestamp, details: [(name: String, value: String)] = []
    ) -> AuditEvent {
        AuditEvent(
            id: .ordered(at: now), tenant: identity.tenant, gateway: identity.gateway, at: now, action: action,
            severity: severity, actor: "shared-key", credential: "shared-key:\(holder.number)", source: source,
            subject: "machine:\(machine)", details: details)
    }
}

extension Transaction {
    /// A free name as near to the agent id as a DNS label can be.
    func freeName(for agentID: AgentID, id: ID<Machine>, in tenant: ID<Tenant>) throws -> MachineName {
        var label = agentID.rawValue.lowercased().map { character -> Character in
            character.isASCII && (character.isLetter || character.isNumber) ? character : "-"
        }
        label = Array(label.drop { $0 == "-" }.prefix(54))
        while label.last == "-" { label.removeLast() }
        if agentID.rawValue.utf8.count <= 54, let name = MachineName(rawValue: String(label)),
            try machine(named: name.rawValue, in: tenant) == nil
        {
            return name
        }
        // Cut short or taken: the machine's own id tells them apart.
        let name = MachineName(rawValue: "\(String(label))-\(id.text.prefix(8))")
        guard let name, try machine(named: name.rawValue, in: tenant) == nil else {
            throw ControlError.nameTaken(field: "name")
        }
        return name
    }

    /// Refuses an agent id that isn't the dialect's own: a machine added or enrolled natively, or text that reads like
    /// another machine's id, by which commands would then find the wrong one.
    func requireUnknown(_ agentID: AgentID, in tenant: ID<Tenant>) throws {
        guard try machine(agentID, in: tenant) == nil else { throw ControlError.agentIDTaken }
        if let id = ID<Machine>(agentID.rawValue), try machine(id, in: tenant) != nil {
            throw ControlError.agentIDTaken
        }
    }
}
