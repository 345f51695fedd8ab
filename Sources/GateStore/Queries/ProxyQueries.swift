public import GateModel

extension Transaction {
    /// Throws `conflict` where the name is taken.
    public func insertProxy(_ proxy: Proxy) throws(StoreError) {
        try execute(
            """
            INSERT INTO proxy (id, tenant_id, name, gateway_id, host, port, login, target_host, target_port, host_key,
                previous_host_key, previous_host_key_until, host_key_confirmed_at, service_user_id, created_at,
                updated_at, activated_at)
            VALUES (\(proxy.id), \(proxy.tenant), \(proxy.name.rawValue), \(proxy.gateway), \(proxy.host),
                \(proxy.port), \(proxy.login.rawValue), \(proxy.targetHost), \(proxy.targetPort), \(proxy.hostKey),
                \(proxy.previousHostKey), \(proxy.previousHostKeyUntil), \(proxy.hostKeyConfirmedAt),
                \(proxy.serviceUser), \(proxy.createdAt), \(proxy.updatedAt), \(proxy.activatedAt))
            """)
    }

    /// All but whose it is and whether it is switched on.
    public func updateProxy(_ proxy: Proxy) throws(StoreError) {
        try execute(
            """
            UPDATE proxy SET name = \(proxy.name.rawValue), host = \(proxy.host), port = \(proxy.port),
                login = \(proxy.login.rawValue), target_host = \(proxy.targetHost), target_port = \(proxy.targetPort),
                host_key = \(proxy.hostKey), previous_host_key = \(proxy.previousHostKey),
                previous_host_key_until = \(proxy.previousHostKeyUntil),
                host_key_confirmed_at = \(proxy.hostKeyConfirmedAt), updated_at = \(proxy.updatedAt)
            WHERE id = \(proxy.id) AND removed_at IS NULL
            """)
    }

    /// Every proxy that is there, by name.
    public func proxies(in tenant: ID<Tenant>) throws(StoreError) -> [Proxy] {
        try rows("SELECT \(columns) FROM proxy WHERE tenant_id = \(tenant) AND removed_at IS NULL ORDER BY name")
            .map { row throws(StoreError) in try Proxy(row: row) }
    }

    public func activeProxies(in tenant: ID<Tenant>) throws(StoreError) -> [Proxy] {
        try proxies(in: tenant).filter(\.isActive)
    }

    public func proxy(_ id: ID<Proxy>, in tenant: ID<Tenant>) throws(StoreError) -> Proxy? {
        try rows(
            "SELECT \(columns) FROM proxy WHERE id = \(id) AND tenant_id = \(tenant) AND removed_at IS NULL"
        ).first.map { row throws(StoreError) in try Proxy(row: row) }
    }

    public func proxy(named name: String, in tenant: ID<Tenant>) throws(StoreError) -> Proxy? {
        try rows(
            "SELECT \(columns) FROM proxy WHERE tenant_id = \(tenant) AND name = \(name) AND removed_at IS NULL"
        ).first.map { row throws(StoreError) in try Proxy(row: row) }
    }

    /// The proxy whose sshd looks keys up as this user.
    public func proxy(servedBy user: ID<User>) throws(StoreError) -> Proxy? {
        try rows("SELECT \(columns) FROM proxy WHERE service_user_id = \(user) AND removed_at IS NULL").first
            .map { row throws(StoreError) in try Proxy(row: row) }
    }

    /// Switches it on; `exclusively` switches the others of its tenant off in the same statement, so that there is never
    /// a moment with none or with two.
    public func activateProxy(_ proxy: Proxy, exclusively: Bool, at now: Timestamp) throws(StoreError) {
        let others: SQL = exclusively ? "OR activated_at IS NOT NULL" : ""
        try execute(
            """
            UPDATE proxy SET updated_at = \(now),
                activated_at = CASE WHEN id = \(proxy.id) THEN coalesce(activated_at, \(now)) ELSE NULL END
            WHERE tenant_id = \(proxy.tenant) AND removed_at IS NULL AND (id = \(proxy.id) \(others))
            """)
    }

    public func deactivateProxy(_ id: ID<Proxy>, at now: Timestamp) throws(StoreError) {
        try execute(
            "UPDATE proxy SET activated_at = NULL, updated_at = \(now) WHERE id = \(id) AND activated_at IS NOT NULL")
    }

    public func hasRemovedProxy(_ id: ID<Proxy>, in tenant: ID<Tenant>) throws(StoreError) -> Bool {
        try !rows("SELECT id FROM proxy WHERE id = \(id) AND tenant_id = \(tenant) AND removed_at IS NOT NULL").isEmpty
    }

    /// True when this call removed it.
    public func removeProxy(_ id: ID<Proxy>, at now: Timestamp) throws(StoreError) -> Bool {
        try execute(
            "UPDATE proxy SET removed_at = \(now), activated_at = NULL WHERE id = \(id) AND removed_at IS NULL") == 1
    }

    /// Forward keys that are good on this proxy now, newest first.
    public func liveForwardKeys(
        on proxy: Proxy, at now: Timestamp, limit: Int
    ) throws(StoreError) -> [TunnelKey] {
        try tunnelKeys(
            where: """
                tenant_id = \(proxy.tenant) AND (proxy_id = \(proxy.id) OR proxy_id IS NULL)
                  AND purpose = 'forward' AND revoked_at IS NULL AND login_until > \(now)
                """, limit: limit)
    }

    /// Forward keys that may log in now, of one owner or of everybody, newest first.
    public func liveForwardKeys(
        in tenant: ID<Tenant>, owner: ID<User>?, at now: Timestamp, limit: Int
    ) throws(StoreError) -> [TunnelKey] {
        var condition: SQL = """
            tenant_id = \(tenant) AND purpose = 'forward' AND revoked_at IS NULL AND login_until > \(now)
            """
        if let owner { condition = "\(condition) AND user_id = \(owner)" }
        return try tunnelKeys(where: condition, limit: limit)
    }

    /// Revokes the keys that are good on this proxy alone.
    public func revokeForwardKeys(onlyOn proxy: Proxy, at now: Timestamp) throws(StoreError) {
        try execute(
            """
            UPDATE tunnel_key SET revoked_at = \(now) WHERE tenant_id = \(proxy.tenant) AND proxy_id = \(proxy.id)
              AND purpose = 'forward' AND revoked_at IS NULL
            """)
    }
}

private let columns: SQL = """
    id, tenant_id, name, gateway_id, host, port, login, target_host, target_port, host_key, previous_host_key,
    previous_host_key_until, host_key_confirmed_at, service_user_id, created_at, updated_at, activated_at
    """

extension Proxy {
    fileprivate init(row: SQLRow) throws(StoreError) {
        guard let name = ProxyName(rawValue: try row.text("name")) else { throw .corruptRow(column: "name") }
        guard let login = LoginName(rawValue: try row.text("login")) else { throw .corruptRow(column: "login") }
        self.init(
            id: try row.id("id", of: Proxy.self), tenant: try row.id("tenant_id", of: Tenant.self), name: name,
            gateway: try row.optionalID("gateway_id", of: Gateway.self), host: try row.text("host"),
            port: try row.int("port"), login: login, targetHost: try row.text("target_host"),
            targetPort: try row.int("target_port"), hostKey: try row.text("host_key"),
            previousHostKey: try row.optionalText("previous_host_key"),
            previousHostKeyUntil: try row.optionalTimestamp("previous_host_key_until"),
            hostKeyConfirmedAt: try row.optionalTimestamp("host_key_confirmed_at"),
            serviceUser: try row.optionalID("service_user_id", of: User.self),
            createdAt: try row.timestamp("created_at"), updatedAt: try row.timestamp("updated_at"),
            activatedAt: try row.optionalTimestamp("activated_at"))
    }
}
