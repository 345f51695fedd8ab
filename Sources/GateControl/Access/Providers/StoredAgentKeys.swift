import GateModel
import GateStore

/// Machines' own keys.
struct StoredAgentKeys: TokenProvider {
    let name = "agent-keys"
    private let lookup: StoredCredentials

    init(_ dependencies: ControlDependencies) { lookup = StoredCredentials(dependencies) }

    func verify(_ credential: PresentedCredential) async throws -> TokenVerdict? {
        guard credential.kind == .agentKey else { return nil }
        return try lookup.verdict(
            credential, provider: name,
            read: { tx, now in
                try tx.liveAgentKey(digest: credential.digest, at: now).map { key in
                    .init(
                        principal: .machine(key.machine, tenant: key.tenant, by: .agentKey(key.id)),
                        expiresAt: key.expiresAt,
                        allowFrom: key.allowFrom)
                }
            },
            dead: { tx in try tx.deadAgentKey(digest: credential.digest).map { "agent-key:\($0.id)" } })
    }
}
