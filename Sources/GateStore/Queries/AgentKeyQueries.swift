public import GateModel

/// Agent keys and the enrolment tokens that buy them.
extension Transaction {
    public func insertAgentKey(_ key: AgentKey, digest: CredentialDigest) throws(StoreError) {
        try execute(
            """
            INSERT INTO agent_key (id, tenant_id, machine_id, digest, label, allow_from, created_at, expires_at)
            VALUES (\(key.id), \(key.tenant), \(key.machine), \(digest.bytes), \(key.label),
                \(key.allowFrom.joined(separator: " ")), \(key.createdAt), \(key.expiresAt))
            """)
    }

    /// The living key of that digest, on a machine that wasn't removed.
    public func liveAgentKey(digest: CredentialDigest, at now: Timestamp) throws(StoreError) -> AgentKey? {
        try rows(
            """
            SELECT \(keyColumns) FROM agent_key k JOIN machine m ON m.id = k.machine_id
            WHERE k.digest = \(digest.bytes) AND k.revoked_at IS NULL AND m.removed_at IS NULL
              AND (k.expires_at IS NULL OR k.expires_at > \(now))
            """
        ).first.map { row throws(StoreError) in try AgentKey(row: row) }
    }

    /// The key of that digest in any state, for the audit trail.
    public func deadAgentKey(digest: CredentialDigest) throws(StoreError) -> AgentKey? {
        try rows("SELECT \(keyColumns) FROM agent_key k WHERE k.digest = \(digest.bytes)").first
            .map { row throws(StoreError) in try AgentKey(row: row) }
    }

    public func isLive(_ key: ID<AgentKey>, at now: Timestamp) throws(StoreError) -> Bool {
        try !rows(
            """
            SELECT 1 AS one FROM agent_key k JOIN machine m ON m.id = k.machine_id
            WHERE k.id = \(key) AND k.revoked_at IS NULL AND m.removed_at IS NULL
              AND (k.expires_at IS NULL OR k.expires_at > \(now))
            """
        ).isEmpty
    }

    public func agentKeys(of machine: ID<Machine>) throws(StoreError) -> [AgentKey] {
        try rows(
            """
            SELECT \(keyColumns) FROM agent_key k WHERE k.machine_id = \(machine)
            ORDER BY k.created_at DESC, k.id DESC LIMIT 1000
            """
        ).map { row throws(StoreError) in try AgentKey(row: row) }
    }

    public func liveAgentKeyCount(of machine: ID<Machine>) throws(StoreError) -> Int {
        try rows("SELECT count(*) AS n FROM agent_key WHERE machine_id = \(machine) AND revoked_at IS NULL")
            .first?.int("n") ?? 0
    }

    /// True when this call revoked it.
    public func revokeAgentKey(
        _ id: ID<AgentKey>, of machine: ID<Machine>, at now: Timestamp
    ) throws(StoreError) -> Bool {
        try execute(
            """
            UPDATE agent_key SET revoked_at = \(now)
            WHERE id = \(id) AND machine_id = \(machine) AND revoked_at IS NULL
            """) > 0
    }

    public func revokeAgentKeys(of machine: ID<Machine>, at now: Timestamp) throws(StoreError) {
        try execute("UPDATE agent_key SET revoked_at = \(now) WHERE machine_id = \(machine) AND revoked_at IS NULL")
    }

    public func hasAgentKey(_ id: ID<AgentKey>, of machine: ID<Machine>) throws(StoreError) -> Bool {
        try !rows("SELECT 1 AS one FROM agent_key WHERE id = \(id) AND machine_id = \(machine)").isEmpty
    }

    public func touchAgentKey(_ id: ID<AgentKey>, at now: Timestamp) throws(StoreError) {
        try execute("UPDATE agent_key SET last_used_at = \(now) WHERE id = \(id)")
    }

    public func insertEnrolment(_ token: EnrolmentToken, digest: CredentialDigest) throws(StoreError) {
        try execute(
            """
            INSERT INTO enrolment_token (id, tenant_id, machine_id, digest, allow_from, created_at, expires_at)
            VALUES (\(token.id), \(token.tenant), \(token.machine), \(digest.bytes),
                \(token.allowFrom.joined(separator: " ")), \(token.createdAt), \(token.expiresAt))
            """)
    }

    /// Uses up a living token; nil when there is none.
    public func consumeEnrolment(
        digest: CredentialDigest, publicKey: String, at now: Timestamp
    ) throws(StoreError) -> EnrolmentToken? {
        try rows(
            """
            UPDATE enrolment_token SET consumed_at = \(now), consumed_by = \(publicKey)
            WHERE digest = \(digest.bytes) AND consumed_at IS NULL AND revoked_at IS NULL AND expires_at > \(now)
              AND machine_id IN (SELECT id FROM machine WHERE removed_at IS NULL)
            RETURNING \(enrolmentColumns)
            """
        ).first.map { row throws(StoreError) in try EnrolmentToken(row: row) }
    }

    /// The agent key a token bought after `since` for the same public key, when that key was never used: its answer
    /// was lost on the way, and asking again must not brick the machine.
    public func repeatableEnrolment(
        digest: CredentialDigest, publicKey: String, since: Timestamp, at now: Timestamp
    ) throws(StoreError) -> (token: EnrolmentToken, key: ID<AgentKey>)? {
        try rows(
            """
            SELECT \(enrolmentColumns), agent_key_id FROM enrolment_token
            WHERE digest = \(digest.bytes) AND consumed_by = \(publicKey) AND consumed_at > \(since)
              AND revoked_at IS NULL AND expires_at > \(now)
              AND machine_id IN (SELECT id FROM machine WHERE removed_at IS NULL)
              AND agent_key_id IN (SELECT id FROM agent_key WHERE last_used_at IS NULL AND revoked_at IS NULL)
            """
        ).first.map { row throws(StoreError) in
            (try EnrolmentToken(row: row), try row.id("agent_key_id", of: AgentKey.self))
        }
    }

    public func noteAgentKey(_ key: ID<AgentKey>, boughtBy token: ID<EnrolmentToken>) throws(StoreError) {
        try execute("UPDATE enrolment_token SET agent_key_id = \(key) WHERE id = \(token)")
    }

    public func enrolments(of machine: ID<Machine>) throws(StoreError) -> [EnrolmentToken] {
        try rows(
            """
            SELECT \(enrolmentColumns) FROM enrolment_token WHERE machine_id = \(machine)
            ORDER BY created_at DESC, id DESC LIMIT 1000
            """
        ).map { row throws(StoreError) in try EnrolmentToken(row: row) }
    }

    public func liveEnrolmentCount(of machine: ID<Machine>, at now: Timestamp) throws(StoreError) -> Int {
        try rows(
            """
            SELECT count(*) AS n FROM enrolment_token WHERE machine_id = \(machine) AND revoked_at IS NULL
              AND consumed_at IS NULL AND expires_at > \(now)
            """
        ).first?.int("n") ?? 0
    }

    public func revokeEnrolment(
        _ id: ID<EnrolmentToken>, of machine: ID<Machine>, at now: Timestamp
    ) throws(StoreError) -> Bool {
        try execute(
            """
            UPDATE enrolment_token SET revoked_at = \(now)
            WHERE id = \(id) AND machine_id = \(machine) AND revoked_at IS NULL
            """) > 0
    }

    public func revokeEnrolments(of machine: ID<Machine>, at now: Timestamp) throws(StoreError) {
        try execute(
            "UPDATE enrolment_token SET revoked_at = \(now) WHERE machine_id = \(machine) AND revoked_at IS NULL")
    }

    public func agentKey(boughtBy token: ID<EnrolmentToken>) throws(StoreError) -> ID<AgentKey>? {
        try rows("SELECT agent_key_id FROM enrolment_token WHERE id = \(token)").first
            .flatMap { row throws(StoreError) in try row.optionalID("agent_key_id", of: AgentKey.self) }
    }

    public func hasEnrolment(_ id: ID<EnrolmentToken>, of machine: ID<Machine>) throws(StoreError) -> Bool {
        try !rows("SELECT 1 AS one FROM enrolment_token WHERE id = \(id) AND machine_id = \(machine)").isEmpty
    }
}

private let keyColumns: SQL = """
    k.id, k.tenant_id, k.machine_id, k.label, k.allow_from, k.created_at, k.expires_at, k.revoked_at, k.last_used_at
    """
private let enrolmentColumns: SQL =
    "id, tenant_id, machine_id, allow_from, created_at, expires_at, consumed_at, revoked_at"

extension AgentKey {
    fileprivate init(row: SQLRow) throws(StoreError) {
        self.init(
            id: try row.id("id", of: AgentKey.self), tenant: try row.id("tenant_id", of: Tenant.self),
            machine: try row.id("machine_id", of: Machine.self), label: try row.text("label"),
            allowFrom: try row.words("allow_from"), createdAt: try row.timestamp("created_at"),
            expiresAt: try row.optionalTimestamp("expires_at"),
            revokedAt: try row.optionalTimestamp("revoked_at"), lastUsedAt: try row.optionalTimestamp("last_used_at"))
    }
}

extension EnrolmentToken {
    fileprivate init(row: SQLRow) throws(StoreError) {
        self.init(
            id: try row.id("id", of: EnrolmentToken.self), tenant: try row.id("tenant_id", of: Tenant.self),
            machine: try row.id("machine_id", of: Machine.self), allowFrom: try row.words("allow_from"),
            createdAt: try row.timestamp("created_at"), expiresAt: try row.timestamp("expires_at"),
            consumedAt: try row.optionalTimestamp("consumed_at"),
            revokedAt: try row.optionalTimestamp("revoked_at"))
    }
}
