public import GateModel

/// Programs that wait for a person to let them in (RFC 8628).
extension Transaction {
    public func insertDevice(
        _ device: DeviceAuthorization, deviceCode: CredentialDigest, userCode: [UInt8], challenge: [UInt8]
    ) throws(StoreError) {
        try execute(
            """
            INSERT INTO device_authorization (id, tenant_id, device_code, user_code, challenge, client, scopes,
                source, created_at, expires_at)
            VALUES (\(device.id), \(device.tenant), \(deviceCode.bytes), \(userCode), \(challenge), \(device.client),
                \(device.scopes?.text), \(device.source), \(device.createdAt), \(device.expiresAt))
            """)
    }

    /// How many wait: of this source, and in all.
    public func waitingDevices(
        source: String, at now: Timestamp
    ) throws(StoreError) -> (ofSource: Int, all: Int) {
        let row = try rows(
            """
            SELECT count(*) AS everything, coalesce(sum(CASE WHEN source = \(source) THEN 1 ELSE 0 END), 0) AS own
            FROM device_authorization WHERE expires_at > \(now)
            """
        ).first
        return (try row?.int("own") ?? 0, try row?.int("everything") ?? 0)
    }

    /// What a person looks at before they answer: neither expired nor answered yet.
    public func undecidedDevice(userCode: [UInt8], at now: Timestamp) throws(StoreError) -> DeviceAuthorization? {
        try rows(
            """
            SELECT \(deviceColumns) FROM device_authorization d WHERE d.user_code = \(userCode) AND d.expires_at > \(now)
              AND d.approved_at IS NULL AND d.denied_at IS NULL AND d.consumed_at IS NULL
            """
        ).first.map { row throws(StoreError) in try DeviceAuthorization(row: row) }
    }

    /// What the asking program polls, with the challenge it began with; nil once it is expired.
    public func device(
        deviceCode: CredentialDigest, at now: Timestamp
    ) throws(StoreError) -> (device: DeviceAuthorization, challenge: [UInt8])? {
        guard
            let row = try rows(
                """
                SELECT \(deviceColumns), d.challenge FROM device_authorization d
                WHERE d.device_code = \(deviceCode.bytes) AND d.expires_at > \(now)
                """
            ).first
        else { return nil }
        return (try DeviceAuthorization(row: row), try row.blob("challenge"))
    }

    /// True for the one answer that counts; `scopes` nil turns it down.
    public func decideDevice(
        _ id: ID<DeviceAuthorization>, by user: ID<User>, scopes: Scopes?, at now: Timestamp
    ) throws(StoreError) -> Bool {
        let approves = scopes != nil
        let (approvedAt, deniedAt): (Timestamp?, Timestamp?) = approves ? (now, nil) : (nil, now)
        return try execute(
            """
            UPDATE device_authorization SET approved_by = \(user), scopes = \(scopes?.text), approved_at = \(approvedAt), denied_at = \(deniedAt)
            WHERE id = \(id) AND expires_at > \(now) AND approved_at IS NULL AND denied_at IS NULL
              AND consumed_at IS NULL
            """) > 0
    }

    /// The user who approved it and what for, for the one call that uses it up.
    public func consumeDevice(
        _ id: ID<DeviceAuthorization>, at now: Timestamp
    ) throws(StoreError) -> (user: ID<User>, scopes: Scopes)? {
        let row = try rows(
            """
            UPDATE device_authorization SET consumed_at = \(now)
            WHERE id = \(id) AND expires_at > \(now) AND approved_at IS NOT NULL AND consumed_at IS NULL
            RETURNING approved_by, scopes
            """
        ).first
        guard let row, let scopes = Scopes(text: try row.text("scopes")) else { return nil }
        return (try row.id("approved_by", of: User.self), scopes)
    }

    public func deleteOldDevices(at now: Timestamp, limit: Int) throws(StoreError) {
        try execute(
            """
            DELETE FROM device_authorization WHERE id IN (
                SELECT id FROM device_authorization WHERE expires_at <= \(now) LIMIT \(limit))
            """)
    }
}

private let deviceColumns: SQL = """
    d.id, d.tenant_id, d.client, d.scopes, d.source, d.created_at, d.expires_at, d.approved_by, d.approved_at, d.denied_at,
    d.consumed_at
    """

extension DeviceAuthorization {
    fileprivate init(row: SQLRow) throws(StoreError) {
        self.init(
            id: try row.id("id", of: DeviceAuthorization.self), tenant: try row.id("tenant_id", of: Tenant.self),
            client: try row.text("client"), scopes: try row.optionalScopes("scopes"), source: try row.text("source"),
            createdAt: try row.timestamp("created_at"),
            expiresAt: try row.timestamp("expires_at"),
            approvedBy: try row.optionalID("approved_by", of: User.self),
            approvedAt: try row.optionalTimestamp("approved_at"), deniedAt: try row.optionalTimestamp("denied_at"),
            consumedAt: try row.optionalTimestamp("consumed_at"))
    }
}
