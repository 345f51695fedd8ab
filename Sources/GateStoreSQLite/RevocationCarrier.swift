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
                let count = connection.totalChangesCount - before
                try connection.execute(
                    sql: "DELETE FROM lease WHERE machine_id IN (SELECT id FROM machine WHERE removed_at IS NOT NULL)")
                return count
            }
        }
    }
}
