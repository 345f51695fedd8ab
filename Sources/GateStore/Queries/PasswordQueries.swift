public import GateModel

/// Passwords and sign-ins that wait for their second factor.
extension Transaction {
    /// The hash as `user_password.hash` holds it; nil for a user who has no password.
    public func passwordHash(of user: ID<User>) throws(StoreError) -> String? {
        try rows("SELECT hash FROM user_password WHERE user_id = \(user)").first
            .map { row throws(StoreError) in try row.text("hash") }
    }

    public func setPasswordHash(_ hash: String, of user: User, at now: Timestamp) throws(StoreError) {
        try execute(
            """
            INSERT INTO user_password (user_id, tenant_id, hash, changed_at)
            VALUES (\(user.id), \(user.tenant), \(hash), \(now))
            ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at
            """)
    }

    public func insertPendingSignIn(
        digest: CredentialDigest, user: User, method: Session.Method, voucher: Session.Voucher? = nil,
        at now: Timestamp,
        expires: Timestamp
    ) throws(StoreError) {
        // Whoever knows a password must not fill the store with half sign-ins: the newest eight of a user are kept.
        try execute(
            """
            DELETE FROM pending_sign_in WHERE user_id = \(user.id) AND digest NOT IN (
                SELECT digest FROM pending_sign_in WHERE user_id = \(user.id) ORDER BY created_at DESC, digest LIMIT 7)
            """)
        try execute(
            """
            INSERT INTO pending_sign_in (digest, tenant_id, user_id, method, created_at, expires_at, wrong_codes,
                identity_id, vouched_until)
            VALUES (\(digest.bytes), \(user.tenant), \(user.id), \(method.rawValue), \(now), \(expires), 0,
                \(voucher?.identity), \(voucher?.until))
            """)
    }

    /// The user a waiting sign-in is of, while it may still be completed with fewer than `wrongCodes` wrong codes so far.
    public func pendingSignIn(
        digest: CredentialDigest, wrongCodes limit: Int, at now: Timestamp
    ) throws(StoreError) -> (user: User, method: Session.Method, voucher: Session.Voucher?)? {
        guard
            let row = try rows(
                """
                SELECT \(userColumns), p.method, p.identity_id, p.vouched_until FROM pending_sign_in p JOIN gate_user u ON u.id = p.user_id
                WHERE p.digest = \(digest.bytes) AND p.expires_at > \(now) AND p.wrong_codes < \(limit)
                  AND u.disabled_at IS NULL
                """
            ).first
        else { return nil }
        return (try User(row: row), try Session.Method(row: row), try Session.Voucher(row: row))
    }

    public func countWrongCode(pending digest: CredentialDigest) throws(StoreError) {
        try execute("UPDATE pending_sign_in SET wrong_codes = wrong_codes + 1 WHERE digest = \(digest.bytes)")
    }

    /// True for the one call that completes it.
    public func consumePendingSignIn(digest: CredentialDigest, at now: Timestamp) throws(StoreError) -> Bool {
        try execute("DELETE FROM pending_sign_in WHERE digest = \(digest.bytes) AND expires_at > \(now)") > 0
    }

    public func deletePendingSignIns(of user: ID<User>) throws(StoreError) {
        try execute("DELETE FROM pending_sign_in WHERE user_id = \(user)")
    }
}
