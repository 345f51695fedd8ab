public import GateModel

/// Tenants, gateways, users, their tokens and the first administrator's set-up secret.
extension Transaction {
    public func insertTenant(_ id: ID<Tenant>, name: String, at now: Timestamp) throws(StoreError) {
        try execute("INSERT INTO tenant (id, name, created_at) VALUES (\(id), \(name), \(now))")
    }

    /// The oldest gateway: with an embedded store, the only one.
    public func firstGateway() throws(StoreError) -> (gateway: ID<Gateway>, tenant: ID<Tenant>)? {
        try rows("SELECT id, tenant_id FROM gateway ORDER BY created_at, id LIMIT 1").first.map {
            row throws(StoreError) in
            (try row.id("id", of: Gateway.self), try row.id("tenant_id", of: Tenant.self))
        }
    }

    public func insertGateway(_ id: ID<Gateway>, tenant: ID<Tenant>, at now: Timestamp) throws(StoreError) {
        try execute("INSERT INTO gateway (id, tenant_id, created_at) VALUES (\(id), \(tenant), \(now))")
    }

    public func insertUser(_ user: User, at now: Timestamp) throws(StoreError) {
        try execute(
            """
            INSERT INTO gate_user (id, tenant_id, name, role, created_at, disabled_at)
            VALUES (\(user.id), \(user.tenant), \(user.name), \(user.role.rawValue), \(now), \(user.disabledAt))
            """)
    }

    public func user(named name: String, in tenant: ID<Tenant>) throws(StoreError) -> User? {
        try rows("SELECT \(userColumns) FROM gate_user u WHERE u.tenant_id = \(tenant) AND u.name = \(name)").first
            .map { row throws(StoreError) in try User(row: row) }
    }

    /// True when somebody can still sign in: a user who isn't disabled holds a token that is neither revoked nor expired.
    /// `besidesUnused` leaves out tokens of that label that were never used.
    public func hasUsableAdministrator(
        at now: Timestamp, besidesUnused label: String? = nil
    ) throws(StoreError) -> Bool {
        let rest: SQL = label.map { "AND NOT (t.label = \($0) AND t.last_used_at IS NULL)" } ?? ""
        return try !rows(
            """
            SELECT 1 AS one FROM access_token t JOIN gate_user u ON u.id = t.user_id
            WHERE u.role = 'admin' AND u.disabled_at IS NULL AND t.revoked_at IS NULL
              AND (t.expires_at IS NULL OR t.expires_at > \(now)) \(rest) LIMIT 1
            """
        ).isEmpty
    }

    /// Revokes tokens of that label that were never used; returns them.
    public func revokeUnusedTokens(label: String, at now: Timestamp) throws(StoreError) -> [ID<AccessToken>] {
        try rows(
            """
            UPDATE access_token SET revoked_at = \(now)
            WHERE label = \(label) AND last_used_at IS NULL AND revoked_at IS NULL RETURNING id
            """
        ).map { row throws(StoreError) in try row.id("id", of: AccessToken.self) }
    }

    public func insertToken(_ token: AccessToken, digest: CredentialDigest) throws(StoreError) {
        try execute(
            """
            INSERT INTO access_token (id, tenant_id, user_id, digest, label, created_at, expires_at)
            VALUES (\(token.id), \(token.tenant), \(token.user), \(digest.bytes), \(token.label), \(token.createdAt),
                \(token.expiresAt))
            """)
    }

    /// The living token of that digest with its user; revoked, expired and disabled ones don't exist here.
    public func liveToken(
        digest: CredentialDigest, at now: Timestamp
    ) throws(StoreError) -> (token: AccessToken, user: User)? {
        try rows(
            """
            SELECT \(tokenColumns), u.name AS user_name, u.role AS user_role, u.disabled_at AS user_disabled_at
            FROM access_token t JOIN gate_user u ON u.id = t.user_id
            WHERE t.digest = \(digest.bytes) AND t.revoked_at IS NULL AND u.disabled_at IS NULL
              AND (t.expires_at IS NULL OR t.expires_at > \(now))
            """
        ).first.map { row throws(StoreError) in
            let token = try AccessToken(row: row)
            return (token, try User(id: token.user, tenant: token.tenant, row: row))
        }
    }

    /// Why a digest was refused, for the audit trail: nil when it was never known.
    public func deadToken(digest: CredentialDigest) throws(StoreError) -> AccessToken? {
        try rows("SELECT \(tokenColumns) FROM access_token t WHERE t.digest = \(digest.bytes)").first
            .map { row throws(StoreError) in try AccessToken(row: row) }
    }

    public func tokens(of user: ID<User>) throws(StoreError) -> [AccessToken] {
        try rows(
            """
            SELECT \(tokenColumns) FROM access_token t WHERE t.user_id = \(user)
            ORDER BY t.created_at DESC, t.id DESC LIMIT 1000
            """
        ).map { row throws(StoreError) in try AccessToken(row: row) }
    }

    public func liveTokenCount(of user: ID<User>, at now: Timestamp) throws(StoreError) -> Int {
        try rows(
            """
            SELECT count(*) AS n FROM access_token WHERE user_id = \(user) AND revoked_at IS NULL
              AND (expires_at IS NULL OR expires_at > \(now))
            """
        ).first?.int("n") ?? 0
    }

    /// True when this call revoked it.
    public func revokeToken(_ id: ID<AccessToken>, of user: ID<User>, at now: Timestamp) throws(StoreError) -> Bool {
        try execute(
            """
            UPDATE access_token SET revoked_at = \(now)
            WHERE id = \(id) AND user_id = \(user) AND revoked_at IS NULL
            """) > 0
    }

    public func hasToken(_ id: ID<AccessToken>, of user: ID<User>) throws(StoreError) -> Bool {
        try !rows("SELECT 1 AS one FROM access_token WHERE id = \(id) AND user_id = \(user)").isEmpty
    }

    public func touchToken(_ id: ID<AccessToken>, at now: Timestamp) throws(StoreError) {
        try execute("UPDATE access_token SET last_used_at = \(now) WHERE id = \(id)")
    }

    public func insertSetupSecret(
        digest: CredentialDigest, tenant: ID<Tenant>, at now: Timestamp, expires: Timestamp
    ) throws(StoreError) {
        try execute("DELETE FROM setup_secret WHERE consumed_at IS NULL")
        try execute(
            """
            INSERT INTO setup_secret (id, tenant_id, digest, created_at, expires_at)
            VALUES (\(ID<Gateway>.random()), \(tenant), \(digest.bytes), \(now), \(expires))
            """)
    }

    /// The tenant whose secret this call used up; nil when it is unknown, used or too old.
    public func consumeSetupSecret(digest: CredentialDigest, at now: Timestamp) throws(StoreError) -> ID<Tenant>? {
        try rows(
            """
            UPDATE setup_secret SET consumed_at = \(now)
            WHERE digest = \(digest.bytes) AND consumed_at IS NULL AND expires_at > \(now) RETURNING tenant_id
            """
        ).first.map { row throws(StoreError) in try row.id("tenant_id", of: Tenant.self) }
    }
}

private let userColumns: SQL =
    "u.id AS user_id, u.tenant_id, u.name AS user_name, u.role AS user_role, u.disabled_at AS user_disabled_at"
private let tokenColumns: SQL = """
    t.id AS token_id, t.tenant_id, t.user_id, t.label, t.created_at, t.expires_at, t.revoked_at, t.last_used_at
    """

extension User {
    fileprivate init(row: SQLRow) throws(StoreError) {
        self = try User(id: row.id("user_id", of: User.self), tenant: row.id("tenant_id", of: Tenant.self), row: row)
    }

    fileprivate init(id: ID<User>, tenant: ID<Tenant>, row: SQLRow) throws(StoreError) {
        guard let role = Role(rawValue: try row.text("user_role")) else { throw .corruptRow(column: "user_role") }
        self.init(
            id: id, tenant: tenant, name: try row.text("user_name"), role: role,
            disabledAt: try row.optionalTimestamp("user_disabled_at"))
    }
}

extension AccessToken {
    fileprivate init(row: SQLRow) throws(StoreError) {
        self.init(
            id: try row.id("token_id", of: AccessToken.self), tenant: try row.id("tenant_id", of: Tenant.self),
            user: try row.id("user_id", of: User.self), label: try row.text("label"),
            createdAt: try row.timestamp("created_at"), expiresAt: try row.optionalTimestamp("expires_at"),
            revokedAt: try row.optionalTimestamp("revoked_at"), lastUsedAt: try row.optionalTimestamp("last_used_at"))
    }
}
