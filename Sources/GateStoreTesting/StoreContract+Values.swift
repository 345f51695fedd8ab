import GateModel
import GateStore

extension StoreContract {
    static let valueRules: [Rule] = [
        Rule("integers keep all 64 bits", integers),
        Rule("text keeps every character", text),
        Rule("text with a NUL byte is refused", nulByte),
        Rule("a blob keeps every byte, and an empty one isn't null", blobs),
        Rule("nil is null, ids and timestamps come back", modelTypes),
        Rule("a column of another type throws", wrongShapes),
        Rule("text is compared bytewise", bytewiseOrder),
    ]

    private static func integers(_ database: any MigratingDatabase) async throws {
        for value: Int64 in [.min, -1, 0, 1, 1 << 53 + 1, .max] {
            let found = try await database.write { transaction in
                try transaction.execute("DELETE FROM item")
                try transaction.insertItem("a", amount: value)
                return try transaction.rows("SELECT amount FROM item").first?.integer("amount")
            }
            try expectEqual(found, value, "amount")
        }
    }

    private static func text(_ database: any MigratingDatabase) async throws {
        let samples = ["", " ", "'; DROP TABLE item; --", "$1 ? :a", "\u{1}\u{7F}\u{FFFD}", "e\u{301}", "👩‍🚀", "\r\n"]
        for sample in samples {
            let found = try await database.write { transaction in
                try transaction.execute("DELETE FROM item")
                try transaction.insertItem(sample)
                return try transaction.rows("SELECT id FROM item WHERE id = \(sample)").first?.text("id")
            }
            try expectEqual(found.map { Array($0.utf8) }, Array(sample.utf8), "text")
        }
    }

    private static func nulByte(_ database: any MigratingDatabase) async throws {
        try await expectFailure("NUL", { if case .engine = $0 { true } else { false } }) {
            try await database.write { transaction in try transaction.insertItem("admin\u{0}x") }
        }
        let ids = try await database.read { transaction in try transaction.itemIDs() }
        try expectEqual(ids, [], "items")
    }

    private static func blobs(_ database: any MigratingDatabase) async throws {
        let samples: [[UInt8]] = [[], [0], Array(0...255), [UInt8](repeating: 0xFF, count: 100_000)]
        for sample in samples {
            let found = try await database.write { transaction in
                try transaction.execute("DELETE FROM item")
                try transaction.execute("INSERT INTO item (id, data) VALUES ('a', \(sample))")
                return try transaction.rows("SELECT data FROM item").first?.optionalBlob("data")
            }
            try expectEqual(found, sample, "blob of \(sample.count) bytes")
        }
    }

    private static func modelTypes(_ database: any MigratingDatabase) async throws {
        enum Subject {}
        let id = ID<Subject>.random()
        let moment = Timestamp(microseconds: 1_735_689_600_000_001)
        let never: Timestamp? = nil
        let (first, second) = try await database.write { transaction in
            try transaction.execute("INSERT INTO item (id, ended_at) VALUES (\(id), \(moment))")
            let first = try transaction.rows("SELECT id, ended_at FROM item")
            try transaction.execute("UPDATE item SET ended_at = \(never)")
            return (first, try transaction.rows("SELECT ended_at, owner, data FROM item"))
        }
        try expectEqual(try first.first?.id("id", of: Subject.self), id, "id")
        try expectEqual(try first.first?.timestamp("ended_at"), moment, "timestamp")
        try expectEqual(try second.first?.value("ended_at"), .null, "null")
        try expectEqual(try second.first?.optionalText("owner"), .some(nil), "null text")
        try expectEqual(try second.first?.optionalBlob("data"), .some(nil), "null blob")
    }

    private static func wrongShapes(_ database: any MigratingDatabase) async throws {
        let rows = try await database.write { transaction in
            try transaction.insertItem("not-a-uuid")
            return try transaction.rows("SELECT id, amount, ended_at FROM item")
        }
        guard let row = rows.first else { throw ContractBroken(description: "no row") }
        for (column, read) in [
            ("id", { _ = try row.integer("id") }), ("id", { _ = try row.id("id", of: StoreContract.self) }),
            ("amount", { _ = try row.text("amount") }), ("ended_at", { _ = try row.timestamp("ended_at") }),
            ("absent", { _ = try row.optionalText("absent") }),
        ] as [(String, () throws -> Void)] {
            try await expectFailure(column, { $0 == .corruptRow(column: column) }) { try read() }
        }
    }

    private static func bytewiseOrder(_ database: any MigratingDatabase) async throws {
        let sorted = ["A", "B", "Z", "_", "a", "a-b", "aa", "b", "é", "😀"]
        let found = try await database.write { transaction in
            for id in sorted.reversed() { try transaction.insertItem(id) }
            return try transaction.itemIDs()
        }
        try expectEqual(found, sorted, "order")
        let folded = try await database.read { transaction in
            try transaction.rows("SELECT id FROM item WHERE id = \("É")").count
        }
        try expectEqual(folded, 0, "rows equal to another case")
    }
}
