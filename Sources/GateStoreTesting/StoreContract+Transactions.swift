import GateStore

extension StoreContract {
    static let transactionRules: [Rule] = [
        Rule("a body that throws leaves nothing behind", throwRollsBack),
        Rule("a refused statement undoes its whole body, and the next body works", errorRollsBack),
        Rule("a write is visible to whoever reads after it", readYourWrites),
        Rule("a read can't write", readsDoNotWrite),
        Rule("a read sees one state, without what is uncommitted", snapshots),
    ]

    private static func throwRollsBack(_ database: any MigratingDatabase) async throws {
        do {
            try await database.write { transaction in
                try transaction.insertItem("a")
                throw Refusal()
            }
            throw ContractBroken(description: "the body's error was swallowed")
        } catch is Refusal {}
        let ids = try await database.read { transaction in try transaction.itemIDs() }
        try expectEqual(ids, [], "items")
    }

    private static func errorRollsBack(_ database: any MigratingDatabase) async throws {
        try await expectFailure("duplicate", \.isConflict) {
            try await database.write { transaction in
                try transaction.insertItem("a")
                try transaction.insertItem("a")
            }
        }
        let ids = try await database.write { transaction in
            try transaction.insertItem("b")
            return try transaction.itemIDs()
        }
        try expectEqual(ids, ["b"], "items")
    }

    private static func readYourWrites(_ database: any MigratingDatabase) async throws {
        for index in 0..<50 {
            try await database.write { transaction in try transaction.insertItem("item-\(index)") }
            let now = try database.readNow { transaction in try transaction.itemIDs().count }
            let later = try await database.read { transaction in try transaction.itemIDs().count }
            try expectEqual([now, later], [index + 1, index + 1], "items")
        }
    }

    private static func readsDoNotWrite(_ database: any MigratingDatabase) async throws {
        try await expectFailure("insert in a read", { !$0.isConflict && !$0.isTransient }) {
            _ = try await database.read { transaction in try transaction.insertItem("a") }
        }
        let ids = try database.readNow { transaction in try transaction.itemIDs() }
        try expectEqual(ids, [], "items")
    }

    /// Each write moves one unit between two items; a read that saw half of one would find another sum.
    private static func snapshots(_ database: any MigratingDatabase) async throws {
        try await database.write { transaction in
            try transaction.insertItem("a", amount: 1_000)
            try transaction.insertItem("b", amount: 1_000)
        }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for _ in 0..<4 {
                tasks.addTask {
                    for _ in 0..<50 {
                        try await database.write { transaction in
                            try transaction.execute("UPDATE item SET amount = amount - 1 WHERE id = 'a'")
                            try transaction.execute("UPDATE item SET amount = amount + 1 WHERE id = 'b'")
                        }
                    }
                }
                tasks.addTask {
                    for _ in 0..<100 {
                        let sum = try await database.read { transaction in
                            // Two statements: they must see the same state too.
                            let first = try transaction.rows("SELECT amount FROM item WHERE id = 'a'")
                            let second = try transaction.rows("SELECT amount FROM item WHERE id = 'b'")
                            return try (first + second).reduce(0) { sum, row in sum + (try row.integer("amount")) }
                        }
                        try expectEqual(sum, 2_000, "sum")
                    }
                }
            }
            try await tasks.waitForAll()
        }
    }
}
