public import GateModel

/// Browsers' sessions.
extension Transaction {
    public func insertSession(_ session: Session, digest: CredentialDigest) throws(StoreError) {
        try execute(
            """
            INSERT INTO user_session (id, tenant_id, user_id, digest, method, source, client, created_at, last_used_at,
                idle_until, expires_at, second_factor_at, identity_id, vouched_until)
            VALUES (\(session.id), \(session.tenant), \(session.user), \(digest.bytes), \(session.method.rawValue),
                \(session.source), \(session.client), \(session.createdAt), \(session.lastUsedAt), \(session.idleUntil),
                \(session.expiresAt), \(session.secondFactorAt), \(session.voucher?.identity),
                \(session.voucher?.until))
            """)
    }

    /// The living session of that digest with its user; ended, idle and expired ones, and those of a disabled user, don't
    /// exist here.
    public func liveSession(
        digest: CredentialDigest, at now: Timestamp
    ) throws(StoreError) -> (session: Session, user: User)? {
        try liveSession("s.digest = \(digest.bytes)", at: now)
    }

    /// The same by its id.
    public func liveSession(
        _ id: ID<Session>, at now: Timestamp
    ) throws(StoreError) -> (session: Session, user: User)? {
        try liveSession("s.id = \(id)", at: now)
    }

    private func liveSession(
        _ which: SQL, at now: Timestamp
    ) throws(StoreError) -> (session: Session, user: User)? {
        guard
            let row = try rows(
                """
                SELECT \(sessionColumns), \(userColumns)
                FROM user_session s JOIN gate_user u ON u.id = s.user_id
                WHERE \(which) AND \(living(at: now)) AND u.disabled_at IS NULL
                """
            ).first
        else { return nil }
        return (try Session(row: row), try User(row: row))
    }

    /// Living sessions of a user, newest first.
    public func sessions(of user: ID<User>, at now: Timestamp) throws(StoreError) -> [Session] {
        try rows(
            """
            SELECT \(sessionColumns) FROM user_session s WHERE s.user_id = \(user) AND \(living(at: now))
            ORDER BY s.created_at DESC, s.id DESC LIMIT 1000
            """
        ).map { row throws(StoreError) in try Session(row: row) }
    }

    public func touchSession(_ id: ID<Session>, at now: Timestamp, idleUntil: Timestamp) throws(StoreError) {
        try execute(
            """
            UPDATE user_session SET last_used_at = \(now), idle_until = \(idleUntil)
            WHERE id = \(id) AND ended_at IS NULL AND last_used_at < \(now)
            """)
    }

    public func noteSecondFactor(session: ID<Session>, at now: Timestamp) throws(StoreError) {
        try execute("UPDATE user_session SET second_factor_at = \(now) WHERE id = \(session) AND ended_at IS NULL")
    }

    /// True when this call ended it.
    public func endSession(_ id: ID<Session>, of user: ID<User>, at now: Timestamp) throws(StoreError) -> Bool {
        try execute(
            "UPDATE user_session SET ended_at = \(now) WHERE id = \(id) AND user_id = \(user) AND ended_at IS NULL") > 0
    }

    public func hasSession(_ id: ID<Session>, of user: ID<User>) throws(StoreError) -> Bool {
        try !rows("SELECT 1 AS one FROM user_session WHERE id = \(id) AND user_id = \(user)").isEmpty
    }

    /// Ends all of a user's sessions; the ids of those this call ended.
    public func endSessions(of user: ID<User>, at now: Timestamp) throws(StoreError) -> [ID<Session>] {
        try rows(
            "UPDATE user_session SET ended_at = \(now) WHERE user_id = \(user) AND ended_at IS NULL RETURNING id"
        ).map { row throws(StoreError) in try row.id("id", of: Session.self) }
    }

    /// Ends the oldest sessions of a user beyond the newest `count`.
    public func endOldestSessions(
        of user: ID<User>, beyond count: Int, at now: Timestamp
    ) throws(StoreError) -> [ID<Session>] {
        try rows(
            """
            UPDATE user_session SET ended_at = \(now) WHERE user_id = \(user) AND ended_at IS NULL AND id NOT IN (
                SELECT id FROM user_session WHERE user_id = \(user) AND ended_at IS NULL
                ORDER BY created_at DESC, id DESC LIMIT \(count))
            RETURNING id
            """
        ).map { row throws(StoreError) in try row.id("id", of: Session.self) }
    }

    /// Sessions that ended by themselves, because nobody used them or their time was over; at most `limit`.
    public func expireSessions(at now: Timestamp, limit: Int) throws(StoreError) -> [ID<Session>] {
        try rows(
            """
            UPDATE user_session SET ended_at = \(now) WHERE id IN (
                SELECT id FROM user_session WHERE ended_at IS NULL
                    AND (expires_at <= \(now) OR idle_until <= \(now) OR vouched_until <= \(now))
                LIMIT \(limit))
            RETURNING id
            """
        ).map { row throws(StoreError) in try row.id("id", of: Session.self) }
    }

    /// Whether the two below, or `deleteOldDevices`, would find anything.
    public func hasOldSignIns(sessionsBefore old: Timestamp, at now: Timestamp) throws(StoreError) -> Bool {
        try !rows(
            """
            SELECT 1 AS one WHERE
                EXISTS (SELECT 1 FROM user_session WHERE ended_at IS NULL AND (expires_at <= \(now) OR idle_until <= \(now)))
                OR EXISTS (SELECT 1 FROM user_session WHERE ended_at IS NULL AND vouched_until <= \(now))
                OR EXISTS (SELECT 1 FROM spent_sign_in WHERE expires_at <= \(now))
                OR EXISTS (SELECT 1 FROM user_session WHERE expires_at < \(old) AND ended_at IS NOT NULL)
                OR EXISTS (SELECT 1 FROM pending_sign_in WHERE expires_at <= \(now))
                OR EXISTS (SELECT 1 FROM device_authorization WHERE expires_at <= \(now))
            """
        ).isEmpty
    }

    /// Forgets what ended long ago; at most `limit` rows of each kind.
    public func deleteOldSignIns(sessionsBefore old: Timestamp, at now: Timestamp, limit: Int) throws(StoreError) {
        try execute(
            """
            DELETE FROM user_session WHERE id IN (
                SELECT id FROM user_session WHERE expires_at < \(old) AND ended_at IS NOT NULL LIMIT \(limit))
            """)
        try execute(
            """
            DELETE FROM pending_sign_in WHERE digest IN (
                SELECT digest FROM pending_sign_in WHERE expires_at <= \(now) LIMIT \(limit))
            """)
        try execute(
            """
            DELETE FROM spent_sign_in WHERE digest IN (
                SELECT digest FROM spent_sign_in WHERE expires_at <= \(now) LIMIT \(limit))
            """)
    }
}

private let sessionColumns: SQL = """
    s.id AS session_id, s.tenant_id, s.user_id, s.method, s.source, s.client, s.created_at, s.last_used_at, s.idle_until,
    s.expires_at, s.second_factor_at, s.identity_id, s.vouched_until, s.ended_at
    """

private func living(at now: Timestamp) -> SQL {
    """
    s.ended_at IS NULL AND s.expires_at > \(now) AND s.idle_until > \(now)
        AND (s.vouched_until IS NULL OR s.vouched_until > \(now))
    """
}

extension Session {
    fileprivate init(row: SQLRow) throws(StoreError) {
        self.init(
            id: try row.id("session_id", of: Session.self), tenant: try row.id("tenant_id", of: Tenant.self),
            user: try row.id("user_id", of: User.self), method: try Method(row: row), source: try row.text("source"),
            client: try row.text("client"), createdAt: try row.timestamp("created_at"),
            lastUsedAt: try row.timestamp("last_used_at"), idleUntil: try row.timestamp("idle_until"),
            expiresAt: try row.timestamp("expires_at"),
            secondFactorAt: try row.optionalTimestamp("second_factor_at"), voucher: try Voucher(row: row),
            endedAt: try row.optionalTimestamp("ended_at"))
    }
}

extension Session.Voucher {
    /// Nil in a row without one.
    init?(row: SQLRow) throws(StoreError) {
        guard let identity = try row.optionalID("identity_id", of: OutsideIdentity.self) else { return nil }
        self.init(identity: identity, until: try row.timestamp("vouched_until"))
    }
}

extension Session.Method {
    init(row: SQLRow) throws(StoreError) {
        guard let method = Self(rawValue: try row.text("method")) else { throw .corruptRow(column: "method") }
        self = method
    }
}
