import GRDB
public import GateStore

extension SQLiteDatabase {
    public func migrate<Value: Sendable>(_ body: @escaping @Sendable (any ScriptTransaction) throws -> Value)
        async throws -> Value
    {
        try await mapped {
            try await self.committer.exclusively { connection in
                // Rebuilding a table drops the old one, which would delete the rows referring to it. The switch has no
                // effect inside a transaction (sqlite.org/lang_altertable.html, 7); what it lets pass is checked.
                try connection.execute(sql: "PRAGMA foreign_keys = OFF")
                defer { try? connection.execute(sql: "PRAGMA foreign_keys = ON") }
                return try connection.inImmediateTransaction {
                    let value = try body(SQLiteTransaction(connection: connection))
                    guard try Row.fetchOne(connection, sql: "PRAGMA foreign_key_check") == nil else {
                        throw StoreError.conflict(constraint: "foreign key")
                    }
                    return value
                }
            }
        }
    }

    public func schemaDump() async throws -> String {
        let statements = try await read { transaction in
            try transaction.rows(
                """
                SELECT sql FROM sqlite_schema
                WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite#_%' ESCAPE '#'
                ORDER BY tbl_name, type <> 'table', type, name
                """
            ).map { row in try row.text("sql") }
        }
        return statements.map { Self.normalForm(of: $0) + ";\n" }.joined(separator: "\n")
    }

    /// Without blank lines and blanks at the ends of lines, so that a diff shows what changed and no more.
    private static func normalForm(of statement: String) -> String {
        statement.split(separator: "\n", omittingEmptySubsequences: true)
            .map { line in
                guard let last = line.lastIndex(where: { !$0.isWhitespace }) else { return "" }
                return String(line[...last])
            }
            .filter { !$0.isEmpty }
            .joined(separator: "\n")
    }

    func mapped<Value>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch let error as DatabaseError { throw StoreError(mapping: error) }
    }
}
