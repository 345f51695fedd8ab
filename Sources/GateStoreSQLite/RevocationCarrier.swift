import GRDB

/// Repeats in an older copy of a store what the store has taken away since. Otherwise a restored backup would bring stolen
/// keys, used enrolments and removed machines back to life.
struct RevocationCarrier {
    let from: String
    let to: String

    /// Tables and their columns that, once set, take something away for good.
    private static let ends: [(table: String, column: String)] = [
        ("access_token", "revoked_at"), ("agent_key", "revoked_at"), ("tunnel_key", "revoked_at"),
        ("enrolment_token", "revoked_at"), ("enrolment_token", "consumed_at"), ("setup_secret", "consumed_at"),
        ("gate_user", "disabled_at"), ("machine", "removed_at"),
        ("access_grant", "ended_at"),
    ]
    /// What may have been narrowed, and is taken over as it was last.
    private static let limits: [(table: String, column: String)] = [
        ("gate_user", "role"), ("gate_user", "allow_from"),
    ]

    /// What a user proves themselves with is as it was last: an old password may be the one that was stolen.
    private static let proofs = ["user_password", "user_totp", "recovery_code"]
    /// What lives for days or minutes isn't brought back at all.
    private static let passing = ["user_session", "pending_sign_in", "device_authorization"]

    /// Returns how many rows it changed. All or nothing.
    func run() throws -> Int {
        let queue = try DatabaseQueue(path: to)
        defer { try? queue.close() }
        return try queue.writeWithoutTransaction { connection in
            try connection.execute(sql: "ATTACH DATABASE ? AS newer", arguments: [from])
            defer { try? connection.execute(sql: "DETACH DATABASE newer") }
            return try connection.inImmediateTransaction {
                let before = connection.totalChangesCount
                for (table, column) in Self.ends {
                    try connection.execute(
                        sql: """
                            UPDATE main.\(table) SET \(column) =
                                (SELECT n.\(column) FROM newer.\(table) n WHERE n.id = main.\(table).id)
                            WHERE \(column) IS NULL
                                AND id IN (SELECT n.id FROM newer.\(table) n WHERE n.\(column) IS NOT NULL)
                            """)
                }
                for (table, column) in Self.limits {
                    try connection.execute(
                        sql: """
                            UPDATE main.\(table) SET \(column) = n.\(column) FROM newer.\(table) n
                            WHERE n.id = main.\(table).id AND n.\(column) <> main.\(table).\(column)
                            """)
                }
                for table in Self.proofs {
                    try connection.execute(
                        sql: "DELETE FROM main.\(table) WHERE user_id IN (SELECT id FROM newer.gate_user)")
                    try connection.execute(
                        sql: """
                            INSERT INTO main.\(table) SELECT * FROM newer.\(table)
                            WHERE user_id IN (SELECT id FROM main.gate_user)
                            """)
                }
                for table in Self.passing { try connection.execute(sql: "DELETE FROM main.\(table)") }
                let count = connection.totalChangesCount - before
                try carryTrail(connection)
                try connection.execute(
                    sql: "DELETE FROM lease WHERE machine_id IN (SELECT id FROM machine WHERE removed_at IS NOT NULL)")
                return count
            }
        }
    }

    /// The audit trail is what happened, whichever store is in use: it goes on where the newer store's ended, so that its
    /// chain stays whole. Only where the newer trail is this one's continuation.
    private func carryTrail(_ connection: GRDB.Database) throws {
        let tables = try Int.fetchOne(
            connection,
            sql: """
                SELECT (SELECT count(*) FROM main.sqlite_schema WHERE name = 'audit_seal')
                    + (SELECT count(*) FROM newer.sqlite_schema WHERE name = 'audit_seal')
                """)
        // One of them is from before there were seals.
        guard tables == 2 else { return }
        let differs = try Bool.fetchOne(
            connection,
            sql: """
                SELECT EXISTS (SELECT 1 FROM main.audit_seal m LEFT JOIN newer.audit_seal n
                    ON n.gateway_id = m.gateway_id AND n.number = m.number
                    WHERE n.signature IS NOT m.signature)
                    OR NOT EXISTS (SELECT 1 FROM newer.audit_seal)
                """)
        guard differs == false else { return }
        // A tenant made since the backup is gone, but its events aren't; its name is free again.
        try connection.execute(
            sql: """
                INSERT INTO main.tenant (id, name, created_at)
                    SELECT id, name || '-' || substr(id, 1, 8), created_at FROM newer.tenant
                    WHERE id NOT IN (SELECT id FROM main.tenant)
                """)
        let columns =
            "id, tenant_id, gateway_id, at, action, severity, outcome, actor, credential, source, subject, details, sequence"
        try connection.execute(
            sql: """
                INSERT INTO main.audit_event (\(columns))
                    SELECT \(columns) FROM newer.audit_event WHERE gateway_id IN (SELECT id FROM main.gateway)
                    ON CONFLICT (id) DO UPDATE SET sequence = excluded.sequence WHERE audit_event.sequence IS NULL
                """)
        for table in ["audit_seal", "audit_export"] {
            try connection.execute(
                sql: """
                    INSERT OR REPLACE INTO main.\(table) SELECT * FROM newer.\(table)
                        WHERE gateway_id IN (SELECT id FROM main.gateway)
                    """)
        }
    }
}
