public import GateModel

extension Transaction {
    public func insertTunnelKey(_ key: TunnelKey, reach machines: [ID<Machine>]) throws(StoreError) {
        try execute(
            """
            INSERT INTO tunnel_key (id, tenant_id, purpose, fingerprint, public_key, label, user_id, machine_id,
                agent_key_id, proxy_id, issue, created_at, login_until, connection_until)
            VALUES (\(key.id), \(key.tenant), \(key.purpose.rawValue), \(key.fingerprint), \(key.publicKey),
                \(key.label), \(key.user), \(key.machine), \(key.agentKey), \(key.proxy), \(key.issue),
                \(key.createdAt), \(key.loginUntil), \(key.connectionUntil))
            """)
        for machine in machines {
            try execute(
                """
                INSERT INTO tunnel_key_reach (tunnel_key_id, machine_id, tenant_id)
                VALUES (\(key.id), \(machine), \(key.tenant)) ON CONFLICT (tunnel_key_id, machine_id) DO NOTHING
                """)
        }
    }

    /// The unrevoked key of that fingerprint, whoever owns it and however old. One indexed read: sshd asks at each login.
    public func unrevokedTunnelKey(fingerprint: String) throws(StoreError) -> TunnelKey? {
        try rows("SELECT \(columns) FROM tunnel_key WHERE fingerprint = \(fingerprint) AND revoked_at IS NULL").first
            .map { row throws(StoreError) in try TunnelKey(row: row) }
    }

    /// Every key that may log in now: for the mode in which sshd reads a file of lines.
    public func liveTunnelKeys(at now: Timestamp) throws(StoreError) -> [TunnelKey] {
        try rows("SELECT \(columns) FROM tunnel_key WHERE revoked_at IS NULL AND login_until > \(now) ORDER BY id")
            .map { row throws(StoreError) in try TunnelKey(row: row) }
    }

    public func tunnelKey(_ id: ID<TunnelKey>) throws(StoreError) -> TunnelKey? {
        try rows("SELECT \(columns) FROM tunnel_key WHERE id = \(id)").first
            .map { row throws(StoreError) in try TunnelKey(row: row) }
    }

    public func tunnelKey(_ id: ID<TunnelKey>, in tenant: ID<Tenant>) throws(StoreError) -> TunnelKey? {
        guard let key = try tunnelKey(id), key.tenant == tenant else { return nil }
        return key
    }

    /// Newest first; `after` is the last key of the page before. Revoked keys stay in the list until they are swept.
    public func tunnelKeys(
        in tenant: ID<Tenant>, owner: ID<User>? = nil, purpose: TunnelKey.Purpose?, machine: ID<Machine>?,
        after: (createdAt: Timestamp, id: ID<TunnelKey>)?, limit: Int
    ) throws(StoreError) -> [TunnelKey] {
        var condition: SQL = "tenant_id = \(tenant)"
        if let owner { condition = "\(condition) AND user_id = \(owner) AND purpose IN ('jump', 'forward')" }
        if let purpose { condition = "\(condition) AND purpose = \(purpose.rawValue)" }
        if let machine {
            condition = """
                \(condition) AND (machine_id = \(machine)
                  OR id IN (SELECT tunnel_key_id FROM tunnel_key_reach WHERE machine_id = \(machine)))
                """
        }
        if let after { condition = "\(condition) AND (created_at, id) < (\(after.createdAt), \(after.id))" }
        return try tunnelKeys(where: condition, limit: limit)
    }

    /// Newest first.
    func tunnelKeys(where condition: SQL, limit: Int) throws(StoreError) -> [TunnelKey] {
        try rows(
            "SELECT \(columns) FROM tunnel_key WHERE \(condition) ORDER BY created_at DESC, id DESC LIMIT \(limit)"
        ).map { row throws(StoreError) in try TunnelKey(row: row) }
    }

    /// The machines a jump key may reach and that are still there.
    public func reach(of key: ID<TunnelKey>) throws(StoreError) -> [ID<Machine>] {
        try rows(
            """
            SELECT r.machine_id FROM tunnel_key_reach r JOIN machine m ON m.id = r.machine_id
            WHERE r.tunnel_key_id = \(key) AND m.removed_at IS NULL ORDER BY r.machine_id
            """
        ).map { row throws(StoreError) in try row.id("machine_id", of: Machine.self) }
    }

    /// An owner's keys of that purpose, `jump` or `forward`, that aren't over.
    public func liveTunnelKeyCount(
        of user: ID<User>?, tenant: ID<Tenant>, purpose: TunnelKey.Purpose, at now: Timestamp
    ) throws(StoreError) -> Int {
        let owner: SQL = user.map { "user_id = \($0)" } ?? "user_id IS NULL"
        return try rows(
            """
            SELECT count(*) AS n FROM tunnel_key WHERE tenant_id = \(tenant) AND \(owner)
              AND purpose = \(purpose.rawValue) AND purpose IN ('jump', 'forward') AND revoked_at IS NULL
              AND connection_until > \(now)
            """
        ).first?.int("n") ?? 0
    }

    /// The key when this call revoked it, else nil.
    public func revokeTunnelKey(_ id: ID<TunnelKey>, at now: Timestamp) throws(StoreError) -> TunnelKeyReference? {
        try rows(
            "UPDATE tunnel_key SET revoked_at = \(now) WHERE id = \(id) AND revoked_at IS NULL RETURNING id, fingerprint"
        ).first.map { row throws(StoreError) in try TunnelKeyReference(row: row) }
    }

    /// Sets both ends of a key that is still unrevoked.
    public func renewTunnelKey(
        _ id: ID<TunnelKey>, loginUntil: Timestamp, connectionUntil: Timestamp
    ) throws(StoreError) {
        try execute(
            """
            UPDATE tunnel_key SET login_until = \(loginUntil), connection_until = \(connectionUntil)
            WHERE id = \(id) AND revoked_at IS NULL
            """)
    }

    /// Revokes the key of that fingerprint if its time is over, so that the fingerprint can be registered anew.
    public func revokeExpiredTunnelKey(fingerprint: String, at now: Timestamp) throws(StoreError) {
        try execute(
            """
            UPDATE tunnel_key SET revoked_at = \(now)
            WHERE fingerprint = \(fingerprint) AND revoked_at IS NULL AND connection_until <= \(now)
            """)
    }

    /// Revokes a machine's own keys (reverse and control) but for `except`; returns the revoked ones.
    public func revokeOwnTunnelKeys(
        of machine: ID<Machine>, except: ID<TunnelKey>? = nil, at now: Timestamp
    ) throws(StoreError) -> [TunnelKeyReference] {
        let spared: SQL = except.map { "AND id <> \($0)" } ?? ""
        return try rows(
            """
            UPDATE tunnel_key SET revoked_at = \(now)
            WHERE machine_id = \(machine) AND revoked_at IS NULL \(spared) RETURNING id, fingerprint
            """
        ).map { row throws(StoreError) in try TunnelKeyReference(row: row) }
    }

    /// Revokes the tunnel keys that came with one agent key; returns them.
    public func revokeTunnelKeys(broughtBy key: ID<AgentKey>, at now: Timestamp) throws(StoreError)
        -> [TunnelKeyReference]
    {
        try rows(
            """
            UPDATE tunnel_key SET revoked_at = \(now) WHERE agent_key_id = \(key) AND revoked_at IS NULL
            RETURNING id, fingerprint
            """
        ).map { row throws(StoreError) in try TunnelKeyReference(row: row) }
    }

    /// Revokes the tunnel keys that a user's nodes brought; returns them.
    public func revokeNodeTunnelKeys(of user: ID<User>, at now: Timestamp) throws(StoreError) -> [TunnelKeyReference] {
        try rows(
            """
            UPDATE tunnel_key SET revoked_at = \(now) WHERE user_id = \(user) AND purpose = 'reverse' AND revoked_at IS NULL
            RETURNING id, fingerprint
            """
        ).map { row throws(StoreError) in try TunnelKeyReference(row: row) }
    }

    /// Revokes the jump keys that reach this machine and no other one still here.
    public func revokeJumpKeys(onlyReaching machine: ID<Machine>, at now: Timestamp) throws(StoreError) {
        try execute(
            """
            UPDATE tunnel_key SET revoked_at = \(now) WHERE revoked_at IS NULL
              AND id IN (SELECT tunnel_key_id FROM tunnel_key_reach WHERE machine_id = \(machine))
              AND NOT EXISTS (SELECT 1 FROM tunnel_key_reach r JOIN machine m ON m.id = r.machine_id
                  WHERE r.tunnel_key_id = tunnel_key.id AND r.machine_id <> \(machine) AND m.removed_at IS NULL)
            """)
    }

    /// Keys whose live connections must end now, in small batches.
    public func expiredTunnelKeys(at now: Timestamp, limit: Int) throws(StoreError) -> [TunnelKeyReference] {
        try rows(
            """
            SELECT id, fingerprint FROM tunnel_key WHERE revoked_at IS NULL AND connection_until <= \(now)
            ORDER BY connection_until LIMIT \(limit)
            """
        ).map { row throws(StoreError) in try TunnelKeyReference(row: row) }
    }
}

/// A tunnel key by id and by the fingerprint sshd knows it by.
public struct TunnelKeyReference: Sendable, Hashable {
    public var id: ID<TunnelKey>
    public var fingerprint: String

    init(row: SQLRow) throws(StoreError) {
        id = try row.id("id", of: TunnelKey.self)
        fingerprint = try row.text("fingerprint")
    }

    public init(_ key: TunnelKey) {
        id = key.id
        fingerprint = key.fingerprint
    }
}

private let columns: SQL = """
    id, tenant_id, purpose, fingerprint, public_key, label, user_id, machine_id, agent_key_id, proxy_id, issue,
    created_at, login_until, connection_until, revoked_at
    """

extension TunnelKey {
    fileprivate init(row: SQLRow) throws(StoreError) {
        guard let purpose = Purpose(rawValue: try row.text("purpose")) else { throw .corruptRow(column: "purpose") }
        self.init(
            id: try row.id("id", of: TunnelKey.self), tenant: try row.id("tenant_id", of: Tenant.self),
            purpose: purpose, fingerprint: try row.text("fingerprint"), publicKey: try row.text("public_key"),
            label: try row.text("label"), user: try row.optionalID("user_id", of: User.self),
            machine: try row.optionalID("machine_id", of: Machine.self),
            agentKey: try row.optionalID("agent_key_id", of: AgentKey.self),
            proxy: try row.optionalID("proxy_id", of: Proxy.self), issue: try row.optionalInteger("issue"),
            createdAt: try row.timestamp("created_at"), loginUntil: try row.timestamp("login_until"),
            connectionUntil: try row.timestamp("connection_until"),
            revokedAt: try row.optionalTimestamp("revoked_at"))
    }
}
