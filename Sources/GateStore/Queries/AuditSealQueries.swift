public import GateModel

/// The sealed part of the trail: a gapless sequence per gateway, and the seals over it.
extension Transaction {
    /// Committed events of this gateway that aren't sealed yet, oldest first.
    public func unsealedAuditEvents(on gateway: ID<Gateway>, limit: Int) throws(StoreError) -> [StoredAuditEvent] {
        try rows(
            """
            SELECT \(auditColumns) FROM audit_event WHERE gateway_id = \(gateway) AND sequence IS NULL
            ORDER BY at, id LIMIT \(limit)
            """
        ).map { row throws(StoreError) in try StoredAuditEvent(row: row) }
    }

    /// How many of this gateway's events aren't sealed, and when the oldest of them happened.
    public func unsealedAuditCount(on gateway: ID<Gateway>) throws(StoreError) -> (count: Int, oldest: Timestamp?) {
        guard
            let row = try rows(
                """
                SELECT count(*) AS events, min(at) AS oldest FROM audit_event
                WHERE gateway_id = \(gateway) AND sequence IS NULL
                """
            ).first
        else { return (0, nil) }
        return (try row.int("events"), try row.optionalTimestamp("oldest"))
    }

    /// Gives an event its place. False when it has one already, or is gone.
    public func placeAuditEvent(_ id: ID<AuditEvent>, at sequence: Int64) throws(StoreError) -> Bool {
        try execute("UPDATE audit_event SET sequence = \(sequence) WHERE id = \(id) AND sequence IS NULL") == 1
    }

    /// Sealed events from `first` to `last`, in their order.
    public func sealedAuditEvents(
        on gateway: ID<Gateway>, from first: Int64, to last: Int64
    ) throws(StoreError) -> [StoredAuditEvent] {
        try rows(
            """
            SELECT \(auditColumns) FROM audit_event
            WHERE gateway_id = \(gateway) AND sequence IS NOT NULL AND sequence >= \(first) AND sequence <= \(last)
            ORDER BY sequence
            """
        ).map { row throws(StoreError) in try StoredAuditEvent(row: row) }
    }

    /// The tenant's sealed events behind `sequence`, in their order.
    public func sealedAuditEvents(
        on gateway: ID<Gateway>, in tenant: ID<Tenant>, after sequence: Int64, limit: Int
    ) throws(StoreError) -> [StoredAuditEvent] {
        try rows(
            """
            SELECT \(auditColumns) FROM audit_event
            WHERE gateway_id = \(gateway) AND sequence IS NOT NULL AND sequence > \(sequence) AND tenant_id = \(tenant)
            ORDER BY sequence LIMIT \(limit)
            """
        ).map { row throws(StoreError) in try StoredAuditEvent(row: row) }
    }

    /// The highest sequence number given, whether or not a seal covers it; 0 for none.
    public func lastAuditSequence(on gateway: ID<Gateway>) throws(StoreError) -> Int64 {
        try rows(
            """
            SELECT sequence FROM audit_event WHERE gateway_id = \(gateway) AND sequence IS NOT NULL
            ORDER BY sequence DESC LIMIT 1
            """
        ).first?.integer("sequence") ?? 0
    }

    /// Throws `conflict` when the number or the last sequence is taken.
    public func insertAuditSeal(_ seal: AuditSeal) throws(StoreError) {
        try execute(
            """
            INSERT INTO audit_seal (gateway_id, number, previous, first_sequence, last_sequence, root, at, restart,
                public_key, next_key, signature)
            VALUES (\(seal.gateway), \(seal.number), \(seal.previous), \(seal.first), \(seal.last), \(seal.root),
                \(seal.at), \(seal.restart), \(seal.key), \(seal.nextKey), \(seal.signature))
            """)
    }

    /// The last seal of the chain.
    public func auditHead(of gateway: ID<Gateway>) throws(StoreError) -> AuditSeal? {
        try rows(
            "SELECT * FROM audit_seal WHERE gateway_id = \(gateway) ORDER BY number DESC LIMIT 1"
        ).first.map { row throws(StoreError) in try AuditSeal(row: row) }
    }

    /// Seals behind `number`, in their order.
    public func auditSeals(
        of gateway: ID<Gateway>, after number: Int64, limit: Int
    ) throws(StoreError) -> [AuditSeal] {
        try rows(
            """
            SELECT * FROM audit_seal WHERE gateway_id = \(gateway) AND number > \(number)
            ORDER BY number LIMIT \(limit)
            """
        ).map { row throws(StoreError) in try AuditSeal(row: row) }
    }

    /// The seal that covers an event, or the first one behind it.
    public func auditSeal(of gateway: ID<Gateway>, covering sequence: Int64) throws(StoreError) -> AuditSeal? {
        try rows(
            """
            SELECT * FROM audit_seal WHERE gateway_id = \(gateway) AND last_sequence >= \(sequence)
            ORDER BY last_sequence LIMIT 1
            """
        ).first.map { row throws(StoreError) in try AuditSeal(row: row) }
    }

    /// How far a destination has got; nil for one that was never sent anything.
    public func auditExport(to destination: String, of gateway: ID<Gateway>) throws(StoreError) -> Int64? {
        try rows(
            "SELECT sequence FROM audit_export WHERE gateway_id = \(gateway) AND destination = \(destination)"
        ).first.map { row throws(StoreError) in try row.integer("sequence") }
    }

    public func noteAuditExport(
        to destination: String, of gateway: ID<Gateway>, upTo sequence: Int64, at now: Timestamp
    ) throws(StoreError) {
        try execute(
            """
            INSERT INTO audit_export (gateway_id, destination, sequence, updated_at)
            VALUES (\(gateway), \(destination), \(sequence), \(now))
            ON CONFLICT (gateway_id, destination) DO UPDATE SET sequence = excluded.sequence,
                updated_at = excluded.updated_at
            """)
    }
}

extension AuditSeal {
    fileprivate init(row: SQLRow) throws(StoreError) {
        self.init(
            gateway: try row.id("gateway_id", of: Gateway.self), number: try row.integer("number"),
            previous: try row.blob("previous"), first: try row.integer("first_sequence"),
            last: try row.integer("last_sequence"), root: try row.blob("root"), at: try row.timestamp("at"),
            restart: try row.text("restart"), key: try row.blob("public_key"), nextKey: try row.blob("next_key"),
            signature: try row.blob("signature"))
    }
}
