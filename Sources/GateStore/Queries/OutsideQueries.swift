public import GateModel

/// Outside identities, and the sign-ins that were completed with one.
extension Transaction {
    public func insertIdentity(_ identity: OutsideIdentity) throws(StoreError) {
        try execute(
            """
            INSERT INTO outside_identity (id, tenant_id, user_id, issuer, subject, gives_role, created_at,
                last_sign_in_at, checked_at, withdrawn_at)
            VALUES (\(identity.id), \(identity.tenant), \(identity.user), \(identity.issuer), \(identity.subject),
                \(identity.givesRole ? 1 : 0), \(identity.createdAt), \(identity.lastSignInAt), \(identity.checkedAt),
                \(identity.withdrawnAt))
            """)
    }

    /// Who that is here.
    public func identity(
        issuer: String, subject: String
    ) throws(StoreError) -> (identity: OutsideIdentity, user: User)? {
        try identity("i.issuer = \(issuer) AND i.subject = \(subject)")
    }

    public func identity(_ id: ID<OutsideIdentity>) throws(StoreError) -> (identity: OutsideIdentity, user: User)? {
        try identity("i.id = \(id)")
    }

    private func identity(_ which: SQL) throws(StoreError) -> (identity: OutsideIdentity, user: User)? {
        guard
            let row = try rows(
                """
                SELECT \(identityColumns), \(userColumns)
                FROM outside_identity i JOIN gate_user u ON u.id = i.user_id WHERE \(which)
                """
            ).first
        else { return nil }
        return (try OutsideIdentity(row: row), try User(row: row))
    }

    /// Oldest first.
    public func identities(of user: ID<User>) throws(StoreError) -> [OutsideIdentity] {
        try rows(
            """
            SELECT \(identityColumns), i.user_id, i.tenant_id FROM outside_identity i WHERE i.user_id = \(user)
            ORDER BY i.created_at, i.id LIMIT 100
            """
        ).map { row throws(StoreError) in try OutsideIdentity(row: row) }
    }

    /// True when this call removed it.
    public func deleteIdentity(_ id: ID<OutsideIdentity>, of user: ID<User>) throws(StoreError) -> Bool {
        try execute("DELETE FROM pending_sign_in WHERE identity_id = \(id)")
        return try execute("DELETE FROM outside_identity WHERE id = \(id) AND user_id = \(user)") > 0
    }

    /// The provider has just vouched for it. Its living sessions go on until `until`.
    public func noteVouched(
        _ id: ID<OutsideIdentity>, at now: Timestamp, until: Timestamp
    ) throws(StoreError) {
        try execute("UPDATE outside_identity SET checked_at = \(now) WHERE id = \(id)")
        try execute(
            """
            UPDATE user_session SET vouched_until = \(until)
            WHERE identity_id = \(id) AND ended_at IS NULL AND vouched_until < \(until)
            """)
    }

    public func noteSignIn(_ id: ID<OutsideIdentity>, at now: Timestamp) throws(StoreError) {
        try execute("UPDATE outside_identity SET last_sign_in_at = \(now), checked_at = \(now) WHERE id = \(id)")
    }

    /// `token` is sealed; nil forgets the one before.
    public func setRefreshToken(_ token: [UInt8]?, of id: ID<OutsideIdentity>) throws(StoreError) {
        try execute("UPDATE outside_identity SET refresh_token = \(token) WHERE id = \(id)")
    }

    public func refreshToken(of id: ID<OutsideIdentity>) throws(StoreError) -> [UInt8]? {
        try rows("SELECT refresh_token FROM outside_identity WHERE id = \(id)").first
            .flatMap { row throws(StoreError) in try row.optionalBlob("refresh_token") }
    }

    public func setWithdrawn(_ at: Timestamp?, of id: ID<OutsideIdentity>) throws(StoreError) {
        try execute("UPDATE outside_identity SET withdrawn_at = \(at) WHERE id = \(id)")
    }

    /// An administrator decided about the user: what the provider said before counts no more.
    public func clearWithdrawn(of user: ID<User>) throws(StoreError) {
        try execute(
            "UPDATE outside_identity SET withdrawn_at = NULL WHERE user_id = \(user) AND withdrawn_at IS NOT NULL")
    }

    /// Identities with a refresh token and a living session, last vouched for before `due`, oldest first.
    public func identitiesToAsk(
        of issuer: String, checkedBefore due: Timestamp, at now: Timestamp, limit: Int
    ) throws(StoreError) -> [ID<OutsideIdentity>] {
        try rows(
            """
            SELECT i.id AS identity_id FROM outside_identity i
            WHERE i.refresh_token IS NOT NULL AND i.checked_at <= \(due) AND i.issuer = \(issuer) AND \(isInUse(at: now))
            ORDER BY i.checked_at LIMIT \(limit)
            """
        ).map { row throws(StoreError) in try row.id("identity_id", of: OutsideIdentity.self) }
    }

    /// Whether the next would find anything.
    public func hasIdleRefreshTokens(checkedBefore due: Timestamp, at now: Timestamp) throws(StoreError) -> Bool {
        try !rows(
            """
            SELECT 1 AS one FROM outside_identity i
            WHERE i.refresh_token IS NOT NULL AND i.checked_at <= \(due) AND NOT \(isInUse(at: now)) LIMIT 1
            """
        ).isEmpty
    }

    /// Forgets refresh tokens that no session needs any more.
    public func forgetIdleRefreshTokens(checkedBefore due: Timestamp, at now: Timestamp) throws(StoreError) {
        try execute(
            """
            UPDATE outside_identity SET refresh_token = NULL WHERE id IN (
                SELECT i.id FROM outside_identity i
                WHERE i.refresh_token IS NOT NULL AND i.checked_at <= \(due) AND NOT \(isInUse(at: now)) LIMIT 500)
            """)
    }

    /// Ends the sessions that were begun with it; the ids of those this call ended.
    public func endSessions(
        of identity: ID<OutsideIdentity>, at now: Timestamp
    ) throws(StoreError) -> [ID<Session>] {
        try rows(
            "UPDATE user_session SET ended_at = \(now) WHERE identity_id = \(identity) AND ended_at IS NULL RETURNING id"
        ).map { row throws(StoreError) in try row.id("id", of: Session.self) }
    }

    /// True for the one call that completes the sign-in of that digest.
    public func spendSignIn(_ digest: CredentialDigest, until end: Timestamp) throws(StoreError) -> Bool {
        try execute(
            """
            INSERT INTO spent_sign_in (digest, expires_at) VALUES (\(digest.bytes), \(end)) ON CONFLICT (digest) DO NOTHING
            """) > 0
    }

    /// Without a transaction that writes; `spendSignIn` decides.
    public func isSpentSignIn(_ digest: CredentialDigest) throws(StoreError) -> Bool {
        try !rows("SELECT 1 AS one FROM spent_sign_in WHERE digest = \(digest.bytes)").isEmpty
    }
}

/// Of a row `i` of outside_identity; who is away for a quarter of an hour has no living one.
private func isInUse(at now: Timestamp) -> SQL {
    """
    EXISTS (SELECT 1 FROM user_session s WHERE s.identity_id = i.id AND s.ended_at IS NULL AND s.expires_at > \(now)
        AND s.idle_until > \(now) AND s.vouched_until > \(now))
    """
}

private let identityColumns: SQL = """
    i.id AS identity_id, i.issuer, i.subject, i.gives_role, i.created_at AS identity_created_at, i.last_sign_in_at,
    i.checked_at, i.withdrawn_at
    """

extension OutsideIdentity {
    /// Of a row with `identityColumns` and those of its user.
    fileprivate init(row: SQLRow) throws(StoreError) {
        self.init(
            id: try row.id("identity_id", of: OutsideIdentity.self), tenant: try row.id("tenant_id", of: Tenant.self),
            user: try row.id("user_id", of: User.self), issuer: try row.text("issuer"),
            subject: try row.text("subject"), givesRole: try row.integer("gives_role") == 1,
            createdAt: try row.timestamp("identity_created_at"),
            lastSignInAt: try row.optionalTimestamp("last_sign_in_at"),
            checkedAt: try row.optionalTimestamp("checked_at"),
            withdrawnAt: try row.optionalTimestamp("withdrawn_at"))
    }
}
