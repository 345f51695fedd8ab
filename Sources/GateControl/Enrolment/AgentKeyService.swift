public import GateModel
import GateStore

/// A machine's agent keys: several may live at once, so that rotation has no gap.
public struct AgentKeyService: Sendable {
    public static let lifetimes: ClosedRange<Int> = 60...10 * 31_536_000

    private let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    /// Without a lifetime it lives until it is revoked.
    public func add(
        to name: String, label: Label, lifetime: Duration? = nil, allowFrom: [AddressBlock] = [], by caller: Caller
    ) async throws -> (key: AgentKey, text: Secret<String>) {
        try caller.require(.machinesWrite)
        let minted = MintedCredential(.agentKey)
        let now = dependencies.now()
        let key = try await dependencies.database.write { [dependencies] tx in
            let machine = try tx.requireMachine(name, in: caller.tenant)
            guard try tx.liveAgentKeyCount(of: machine.id) < EnrolmentService.keyLimit else {
                throw ControlError.limitReached(
                    "A machine may hold \(EnrolmentService.keyLimit) agent keys; revoke one first.")
            }
            let key = AgentKey(
                id: .random(), tenant: machine.tenant, machine: machine.id, label: label.rawValue,
                allowFrom: allowFrom.map(\.text), createdAt: now, expiresAt: lifetime.map { now + $0 })
            try tx.insertAgentKey(key, digest: minted.digest)
            try tx.appendAudit(
                dependencies.event(
                    .agentKeyAdded, by: caller, subject: "agent-key:\(key.id)", at: now,
                    details: [("machine", machine.id.text)]))
            return key
        }
        dependencies.leases.drop([key.machine])
        return (key, minted.text)
    }

    public func list(of name: String, by caller: Caller) async throws -> [AgentKey] {
        try caller.require(.machinesWrite)
        return try await dependencies.database.read { tx in
            try tx.agentKeys(of: tx.requireMachine(name, in: caller.tenant).id)
        }
    }

    /// Revokes the key and the tunnel keys registered with it, and ends their connections.
    public func revoke(_ id: ID<AgentKey>, of name: String, by caller: Caller) async throws {
        try caller.require(.machinesWrite)
        let now = dependencies.now()
        let fingerprints: [String]
        do {
            fingerprints = try await dependencies.database.write { [dependencies] tx in
                let machine = try tx.requireMachine(name, in: caller.tenant)
                guard try tx.hasAgentKey(id, of: machine.id) else { throw ControlError.agentKeyNotFound }
                guard try tx.revokeAgentKey(id, of: machine.id, at: now) else { return [] }
                try tx.appendAudit(
                    dependencies.event(
                        .agentKeyRevoked, by: caller, subject: "agent-key:\(id)", at: now,
                        details: [("machine", machine.id.text)]))
                return try tx.revokeTunnelKeys(broughtBy: id, at: now).map(\.fingerprint)
            }
        } catch let error as StoreError {
            dependencies.keys.dropAll()
            dependencies.credentials.dropAll()
            dependencies.leases.dropAll()
            throw error
        }
        dependencies.credentials.drop { $0.usesAgentKey(id) }
        // Whether the machine has a key of its own decides whether it may speak the dialect.
        dependencies.leases.dropAll()
        // Also for a key revoked before: an earlier call may have died between its commit and the cut.
        await dependencies.cut(keys: fingerprints, agentKeys: [id])
    }
}
