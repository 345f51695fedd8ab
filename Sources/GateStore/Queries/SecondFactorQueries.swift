public import GateModel

/// Time-based codes and recovery codes. Seeds come and go sealed; this target can't open them.
extension Transaction {
    /// The sealed seed; `isConfirmed` is false until the first code from it was right.
    public func totp(of user: ID<User>) throws(StoreError) -> (seed: [UInt8], isConfirmed: Bool)? {
        guard let row = try rows("SELECT seed, confirmed_at FROM user_totp WHERE user_id = \(user)").first else {
            return nil
        }
        return (try row.blob("seed"), try row.optionalTimestamp("confirmed_at") != nil)
    }

    public func hasConfirmedTOTP(_ user: ID<User>) throws(StoreError) -> Bool {
        try !rows("SELECT 1 AS one FROM user_totp WHERE user_id = \(user) AND confirmed_at IS NOT NULL").isEmpty
    }

    /// True when any seed is kept: then the master key that sealed it must not be replaced.
    public func hasSealedSecrets() throws(StoreError) -> Bool {
        try !rows("SELECT 1 AS one FROM user_totp LIMIT 1").isEmpty
    }

    /// Keeps a new seed in the place of one that was never confirmed; false when a confirmed one is there.
    public func offerTOTP(seed: [UInt8], of user: User, at now: Timestamp) throws(StoreError) -> Bool {
        try execute(
            """
            INSERT INTO user_totp (user_id, tenant_id, seed, last_step, created_at)
            VALUES (\(user.id), \(user.tenant), \(seed), 0, \(now))
            ON CONFLICT (user_id) DO UPDATE SET seed = excluded.seed, last_step = 0, created_at = excluded.created_at
            WHERE user_totp.confirmed_at IS NULL
            """) > 0
    }

    /// Uses the step up: true for exactly one presentation of it, and never for an earlier one afterwards.
    public func consumeTOTPStep(_ step: Int64, of user: ID<User>) throws(StoreError) -> Bool {
        try execute("UPDATE user_totp SET last_step = \(step) WHERE user_id = \(user) AND last_step < \(step)") > 0
    }

    public func confirmTOTP(of user: ID<User>, at now: Timestamp) throws(StoreError) {
        try execute("UPDATE user_totp SET confirmed_at = \(now) WHERE user_id = \(user) AND confirmed_at IS NULL")
    }

    /// True when there was one.
    public func deleteTOTP(of user: ID<User>) throws(StoreError) -> Bool {
        try execute("DELETE FROM recovery_code WHERE user_id = \(user)")
        return try execute("DELETE FROM user_totp WHERE user_id = \(user)") > 0
    }

    /// Replaces all of a user's recovery codes.
    public func replaceRecoveryCodes(_ digests: [[UInt8]], of user: User, at now: Timestamp) throws(StoreError) {
        try execute("DELETE FROM recovery_code WHERE user_id = \(user.id)")
        for digest in digests {
            try execute(
                """
                INSERT INTO recovery_code (digest, tenant_id, user_id, created_at)
                VALUES (\(digest), \(user.tenant), \(user.id), \(now))
                """)
        }
    }

    /// True for the one presentation that uses it up.
    public func consumeRecoveryCode(_ digest: [UInt8], of user: ID<User>, at now: Timestamp) throws(StoreError) -> Bool
    {
        try execute(
            """
            UPDATE recovery_code SET used_at = \(now)
            WHERE digest = \(digest) AND user_id = \(user) AND used_at IS NULL
            """) > 0
    }

    public func unusedRecoveryCodes(of user: ID<User>) throws(StoreError) -> Int {
        try rows("SELECT count(*) AS n FROM recovery_code WHERE user_id = \(user) AND used_at IS NULL").first?
            .int("n") ?? 0
    }
}
