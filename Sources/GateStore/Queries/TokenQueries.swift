public import GateModel

/// Personal and service tokens.
extension Transaction {
    public func insertToken(_ token: AccessToken, digest: CredentialDigest) throws(StoreError) {
        try execute(
            """
            INSERT INTO access_token (id, tenant_id, user_id, digest, label, scopes, allow_from, created_at, expires_at,
                lifetime)
            VALUES (\(token.id), \(token.tenant), \(token.user), \(digest.bytes), \(token.label),
                \(token.scopes?.text), \(token.allowFrom.joined(separator: " ")), \(token.createdAt),
                \(token.expiresAt), \(token.lifetime?.wholeMicroseconds))
            """)
    }

    /// The living token of that digest with its user; revoked, expired and disabled ones don't exist here.
    public func liveToken(
        digest: CredentialDigest, at now: Timestamp
    ) throws(StoreError) -> (token: AccessToken, user: User)? {
        try liveToken(where: "t.digest = \(digest.bytes)", at: now)
    }

    /// The same by its id.
    public func liveToken(
        _ id: ID<AccessToken>, at now: Timestamp
    ) throws(StoreError) -> (token: AccessToken, user: User)? {
        try liveToken(where: "t.id = \(id)", at: now)
    }

    private func liveToken(
        where condition: SQL, at now: Timestamp
    ) throws(StoreError) -> (token: AccessToken, user: User)? {
        try rows(
            """
            SELECT \(tokenColumns), \(userColumns) FROM access_token t JOIN gate_user u ON u.id = t.user_id
            WHERE \(condition) AND t.revoked_at IS NULL AND u.disabled_at IS NULL
              AND (t.expires_at IS NULL OR t.expires_at > \(now))
            """
        ).first.map { row throws(StoreError) in (try AccessToken(row: row), try User(row: row)) }
    }

    /// Why a digest was refused, for the audit trail: nil when it was never known.
    public func deadToken(digest: CredentialDigest) throws(StoreError) -> AccessToken? {
        try rows("SELECT \(tokenColumns), t.tenant_id FROM access_token t WHERE t.digest = \(digest.bytes)").first
            .map { row throws(StoreError) in try AccessToken(row: row) }
    }

    public func tokens(of user: ID<User>) throws(StoreError) -> [AccessToken] {
        try rows(
            """
            SELECT \(tokenColumns), t.tenant_id FROM access_token t WHERE t.user_id = \(user)
            ORDER BY t.created_at DESC, t.id DESC LIMIT 1000
            """
        ).map { row throws(StoreError) in try AccessToken(row: row) }
    }

    public func token(_ id: ID<AccessToken>, of user: ID<User>) throws(StoreError) -> AccessToken? {
        try rows(
            "SELECT \(tokenColumns), t.tenant_id FROM access_token t WHERE t.id = \(id) AND t.user_id = \(user)"
        ).first.map { row throws(StoreError) in try AccessToken(row: row) }
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

    /// Brings the end of every living token of a user forward to `end`; one that ends before stays as it is.
    public func endTokens(of user: ID<User>, by end: Timestamp, at now: Timestamp) throws(StoreError) {
        if end <= now {
            try execute("UPDATE access_token SET revoked_at = \(now) WHERE user_id = \(user) AND revoked_at IS NULL")
        } else {
            try execute(
                """
                UPDATE access_token SET expires_at = \(end) WHERE user_id = \(user) AND revoked_at IS NULL
                  AND (expires_at IS NULL OR expires_at > \(end))
                """)
        }
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

    /// True when this call moved the end of a living token that ends by `closing`. Of several that race, each sees what
    /// those before it stored, and an end already moved to within a minute of `until` isn't moved again: one wins.
    public func renewToken(
        _ id: ID<AccessToken>, until: Timestamp, closing: Timestamp, at now: Timestamp
    ) throws(StoreError) -> Bool {
        try execute(
            """
            UPDATE access_token SET expires_at = \(until)
            WHERE id = \(id) AND revoked_at IS NULL AND expires_at > \(now) AND expires_at <= \(closing)
              AND expires_at <= \(until - .seconds(60))
            """) > 0
    }

    public func touchToken(_ id: ID<AccessToken>, at now: Timestamp) throws(StoreError) {
        try execute("UPDATE access_token SET last_used_at = \(now) WHERE id = \(id)")
    }
}

private let tokenColumns: SQL = """
    t.id AS token_id, t.user_id AS token_user_id, t.label, t.scopes, t.allow_from, t.created_at, t.expires_at,
    t.lifetime, t.revoked_at, t.last_used_at
    """

extension AccessToken {
    fileprivate init(row: SQLRow) throws(StoreError) {
        self.init(
            id: try row.id("token_id", of: AccessToken.self), tenant: try row.id("tenant_id", of: Tenant.self),
            user: try row.id("token_user_id", of: User.self), label: try row.text("label"),
            scopes: try row.optionalScopes("scopes"),
            allowFrom: try row.words("allow_from"), createdAt: try row.timestamp("created_at"),
            expiresAt: try row.optionalTimestamp("expires_at"),
            lifetime: try row.optionalInteger("lifetime").map { .microseconds($0) },
            revokedAt: try row.optionalTimestamp("revoked_at"), lastUsedAt: try row.optionalTimestamp("last_used_at"))
    }
}
