import GateStore

extension StoreContract {
    static let statementRules: [Rule] = [
        Rule("execute counts the rows it changed", counts),
        Rule("RETURNING answers the rows written", returning),
        Rule("ON CONFLICT updates in place", upsert),
        Rule("unique, foreign key, check and not null conflict", conflicts),
        Rule("fragments and lists compose", composition),
        Rule("pages by key neither repeat nor skip", pages),
        Rule("a statement with an error in it is an engine error", badStatement),
    ]

    private static func counts(_ database: any MigratingDatabase) async throws {
        let counts = try await database.write { transaction in
            var counts = [Int]()
            counts.append(try transaction.execute("INSERT INTO item (id) VALUES ('a')"))
            counts.append(try transaction.execute("INSERT INTO item (id) VALUES ('b'), ('c')"))
            counts.append(try transaction.execute("UPDATE item SET amount = 1 WHERE id IN ('a', 'b')"))
            counts.append(try transaction.execute("UPDATE item SET amount = 2 WHERE id = 'x'"))
            counts.append(try transaction.execute("DELETE FROM item"))
            counts.append(try transaction.execute("DELETE FROM item"))
            return counts
        }
        try expectEqual(counts, [1, 2, 2, 0, 3, 0], "counts")
    }

    private static func returning(_ database: any MigratingDatabase) async throws {
        let rows = try await database.write { transaction in
            try transaction.insertItem("a", amount: 1)
            try transaction.insertItem("b", amount: 1)
            let updated = try transaction.rows("UPDATE item SET amount = amount + 1 RETURNING id, amount")
            let none = try transaction.rows("DELETE FROM item WHERE id = 'x' RETURNING id")
            return updated + none + (try transaction.rows("DELETE FROM item WHERE id = 'a' RETURNING id, amount"))
        }
        try expectEqual(try rows.map { try $0.integer("amount") }, [2, 2, 2], "amounts")
        let left = try await database.read { transaction in try transaction.itemIDs() }
        try expectEqual(left, ["b"], "items left")
    }

    private static func upsert(_ database: any MigratingDatabase) async throws {
        let amounts = try await database.write { transaction in
            try (0..<3).map { _ in
                try transaction.rows(
                    """
                    INSERT INTO item (id, amount) VALUES ('a', 1)
                    ON CONFLICT (id) DO UPDATE SET amount = item.amount + excluded.amount RETURNING amount
                    """
                ).first?.integer("amount")
            }
        }
        try expectEqual(amounts, [1, 2, 3], "amounts")
    }

    private static func conflicts(_ database: any MigratingDatabase) async throws {
        try await database.write { transaction in try transaction.insertItem("a", owner: "o") }
        let statements: [(String, SQL)] = [
            ("primary key", "INSERT INTO item (id) VALUES ('a')"),
            ("unique", "INSERT INTO item (id, owner) VALUES ('b', 'o')"),
            ("check", "INSERT INTO item (id, amount) VALUES ('b', 13)"),
            ("not null", "UPDATE item SET amount = NULL"),
            ("foreign key", "INSERT INTO note (id, item_id) VALUES ('n', 'nowhere')"),
        ]
        for (name, statement) in statements {
            try await expectFailure(name, \.isConflict) {
                _ = try await database.write { transaction in try transaction.execute(statement) }
            }
        }
        let ids = try await database.read { transaction in try transaction.itemIDs() }
        try expectEqual(ids, ["a"], "items")
    }

    private static func composition(_ database: any MigratingDatabase) async throws {
        let found = try await database.write { transaction in
            for (index, id) in ["a", "b", "c", "d"].enumerated() {
                try transaction.insertItem(id, amount: Int64(index))
            }
            let columns: SQL = "id, amount"
            let conditions: [SQL] = ["id IN \(SQL.list(["a", "b", "c"]))", "amount > \(0)", "id < \("c")"]
            let some = try transaction.rows("SELECT \(columns) FROM item WHERE \(conditions.joined(by: " AND "))")
            let none = try transaction.rows("SELECT id FROM item WHERE id IN \(SQL.list([String]()))")
            return some + none
        }
        try expectEqual(try found.map { try $0.text("id") }, ["b"], "found")
    }

    private static func pages(_ database: any MigratingDatabase) async throws {
        // Equal amounts: the id breaks the tie.
        let wanted = (0..<25).map { index in (amount: Int64(index / 4), id: "item-\(index < 10 ? "0" : "")\(index)") }
        let found = try await database.write { transaction in
            for item in wanted.shuffled() { try transaction.insertItem(item.id, amount: item.amount) }
            var found: [String] = []
            var (amount, id): (Int64, String) = (.min, "")
            while true {
                let page = try transaction.rows(
                    """
                    SELECT id, amount FROM item WHERE (amount, id) > (\(amount), \(id))
                    ORDER BY amount, id LIMIT \(4)
                    """)
                guard let last = page.last else { return found }
                found += try page.map { try $0.text("id") }
                (amount, id) = (try last.integer("amount"), try last.text("id"))
            }
        }
        try expectEqual(found, wanted.map(\.id), "pages")
    }

    private static func badStatement(_ database: any MigratingDatabase) async throws {
        try await expectFailure("syntax", { if case .engine = $0 { true } else { false } }) {
            _ = try await database.read { transaction in try transaction.rows("SELEKT 1") }
        }
        try await expectFailure("no table", { if case .engine = $0 { true } else { false } }) {
            _ = try await database.write { transaction in try transaction.execute("DELETE FROM nowhere") }
        }
    }
}
