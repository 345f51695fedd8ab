public import GateModel

/// Machines whose agents prove themselves with a key they share with others, and the several keys such an agent may
/// hold at once.
extension Transaction {
    /// The machine of that agent id, never one whose own id reads like it.
    public func machine(_ agentID: AgentID, in tenant: ID<Tenant>) throws(StoreError) -> ID<Machine>? {
        try rows(
            """
            SELECT id FROM machine
            WHERE tenant_id = \(tenant) AND agent_id = \(agentID.rawValue) AND removed_at IS NULL
            """
        ).first.map { row throws(StoreError) in try row.id("id", of: Machine.self) }
    }

    public func insertSharedKeyAgent(
        _ machine: ID<Machine>, tenant: ID<Tenant>, owner: [UInt8]?, at now: Timestamp
    ) throws(StoreError) {
        try execute(
            """
            INSERT INTO shared_key_agent (machine_id, tenant_id, owner, created_at)
            VALUES (\(machine), \(tenant), \(owner), \(now))
            """)
    }

    public func setSharedKeyOwner(_ owner: [UInt8], of machine: ID<Machine>) throws(StoreError) {
        try execute("UPDATE shared_key_agent SET owner = \(owner) WHERE machine_id = \(machine)")
    }

    public func sharedKeyAgent(_ machine: ID<Machine>) throws(StoreError) -> SharedKeyAgent? {
        try sharedKeyAgents("m.id = \(machine)").first
    }

    public func sharedKeyAgent(_ agentID: AgentID, in tenant: ID<Tenant>) throws(StoreError) -> SharedKeyAgent? {
        try sharedKeyAgents("m.tenant_id = \(tenant) AND m.agent_id = \(agentID.rawValue)").first
    }

    private func sharedKeyAgents(_ condition: SQL) throws(StoreError) -> [SharedKeyAgent] {
        try rows(
            """
            SELECT m.id, m.source, s.owner, (SELECT count(*) FROM agent_key k
                WHERE k.machine_id = m.id AND k.revoked_at IS NULL) AS agent_keys
            FROM machine m JOIN shared_key_agent s ON s.machine_id = m.id
            WHERE \(condition) AND m.removed_at IS NULL
            """
        ).map { row throws(StoreError) in
            SharedKeyAgent(
                machine: try row.id("id", of: Machine.self), source: try row.text("source"),
                owner: try row.optionalBlob("owner"), isEnrolled: try row.int("agent_keys") > 0)
        }
    }

    /// A machine's unrevoked numbered keys, oldest first.
    public func issuedKeys(of machine: ID<Machine>, before issue: Int64) throws(StoreError) -> [TunnelKeyReference] {
        try rows(
            """
            SELECT id, fingerprint FROM tunnel_key
            WHERE machine_id = \(machine) AND revoked_at IS NULL AND issue < \(issue) ORDER BY issue
            """
        ).map { row throws(StoreError) in try TunnelKeyReference(row: row) }
    }

    /// Revokes a machine's keys that are older than that issue; returns those this call revoked.
    public func revokeKeys(
        of machine: ID<Machine>, before issue: Int64, at now: Timestamp
    ) throws(StoreError) -> [TunnelKeyReference] {
        try rows(
            """
            UPDATE tunnel_key SET revoked_at = \(now)
            WHERE machine_id = \(machine) AND revoked_at IS NULL AND issue < \(issue) RETURNING id, fingerprint
            """
        ).map { row throws(StoreError) in try TunnelKeyReference(row: row) }
    }

    /// The machine whose numbered key of that fingerprint was revoked.
    public func machine(superseding fingerprint: String) throws(StoreError) -> ID<Machine>? {
        try rows(
            """
            SELECT machine_id FROM tunnel_key
            WHERE fingerprint = \(fingerprint) AND issue IS NOT NULL AND revoked_at IS NOT NULL
            ORDER BY revoked_at DESC LIMIT 1
            """
        ).first.flatMap { row throws(StoreError) in try row.optionalID("machine_id", of: Machine.self) }
    }

    /// True while a key that isn't ed25519 may log in: brought over from a gateway that made such keys.
    public func hasLiveRSAKey(at now: Timestamp) throws(StoreError) -> Bool {
        try !rows(
            """
            SELECT 1 AS one FROM tunnel_key WHERE issue IS NOT NULL AND revoked_at IS NULL
              AND connection_until > \(now) AND public_key LIKE 'ssh-rsa %' LIMIT 1
            """
        ).isEmpty
    }
}

/// An agent of the dialect, as its row says.
public struct SharedKeyAgent: Sendable, Hashable {
    public var machine: ID<Machine>
    /// Where it registered from last.
    public var source: String
    /// Which shared key it belongs to; nil: none yet.
    public var owner: [UInt8]?
    /// It holds a living agent key of its own, and has left the dialect.
    public var isEnrolled: Bool
}
