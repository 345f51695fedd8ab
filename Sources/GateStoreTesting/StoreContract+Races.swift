import GateStore

extension StoreContract {
    static let raceRules: [Rule] = [
        Rule("of 64 bodies at once, those that throw take no other with them", mixedBodies),
        Rule("of 16 conditional updates at once, one wins", oneWinner),
        Rule("of 16 equal inserts at once, one wins", oneInsert),
        Rule("of 256 reads at once, waiting and blocking ones, each gets its answer", mixedReads),
        Rule("cancelling a caller loses neither its write nor its neighbours'", cancellation),
    ]

    private static func mixedBodies(_ database: any MigratingDatabase) async throws {
        let succeeded = try await withThrowingTaskGroup(of: (Int, Bool).self) { tasks in
            for index in 0..<64 {
                tasks.addTask {
                    do {
                        try await database.write { transaction in
                            try transaction.insertItem("item-\(index)")
                            if index % 3 == 0 { throw Refusal() }
                            if index % 3 == 1 && index % 2 == 0 { try transaction.insertItem("item-\(index)") }
                        }
                        return (index, true)
                    } catch is Refusal {
                        return (index, false)
                    } catch let error as StoreError where error.isConflict {
                        return (index, false)
                    }
                }
            }
            return try await tasks.reduce(into: Set<Int>()) { set, verdict in if verdict.1 { set.insert(verdict.0) } }
        }
        let wanted = Set((0..<64).filter { $0 % 3 != 0 && !($0 % 3 == 1 && $0 % 2 == 0) })
        try expectEqual(succeeded, wanted, "bodies that succeeded")
        let stored = try await database.read { transaction in try transaction.itemIDs() }
        try expectEqual(Set(stored), Set(wanted.map { "item-\($0)" }), "items stored")
    }

    private static func oneWinner(_ database: any MigratingDatabase) async throws {
        try await database.write { transaction in try transaction.insertItem("a") }
        let winners = try await race { index in
            try await database.write { transaction in
                try transaction.execute("UPDATE item SET ended_at = \(index) WHERE id = 'a' AND ended_at IS NULL") == 1
            }
        }
        try expectEqual(winners, 1, "winners")
    }

    private static func oneInsert(_ database: any MigratingDatabase) async throws {
        let winners = try await race { index in
            try await database.write { transaction in
                try transaction.execute(
                    "INSERT INTO item (id, owner) VALUES (\("item-\(index)"), 'o') ON CONFLICT (owner) DO NOTHING") == 1
            }
        }
        try expectEqual(winners, 1, "winners")
    }

    /// More than there are readers and threads: a read that holds one of either while it waits for the other never ends.
    private static func mixedReads(_ database: any MigratingDatabase) async throws {
        try await database.write { transaction in try transaction.insertItem("a") }
        let read = try await withThrowingTaskGroup(of: Int.self) { tasks in
            for index in 0..<256 {
                tasks.addTask {
                    index % 2 == 0
                        ? try await database.read { transaction in try transaction.itemIDs().count }
                        : try database.readNow { transaction in try transaction.itemIDs().count }
                }
            }
            return try await tasks.reduce(0, +)
        }
        try expectEqual(read, 256, "items read")
    }

    private static func race(_ attempt: @escaping @Sendable (Int) async throws -> Bool) async throws -> Int {
        try await withThrowingTaskGroup(of: Bool.self) { tasks in
            for index in 0..<16 { tasks.addTask { try await attempt(index) } }
            return try await tasks.reduce(0) { count, won in won ? count + 1 : count }
        }
    }

    /// Every second caller is cancelled at once. A body may have run or not by then, but its answer is the truth.
    private static func cancellation(_ database: any MigratingDatabase) async throws {
        let callers = (0..<40).map { index in
            Task {
                try await database.write { transaction in try transaction.insertItem("item-\(index)") }
            }
        }
        for (index, caller) in callers.enumerated() where index % 2 == 0 { caller.cancel() }
        var wanted = Set<String>()
        for (index, caller) in callers.enumerated() {
            switch await caller.result {
            case .success: wanted.insert("item-\(index)")
            case .failure(let error): try expect(index % 2 == 0, "caller \(index), never cancelled, failed: \(error)")
            }
        }
        let stored = try database.readNow { transaction in try transaction.itemIDs() }
        try expectEqual(Set(stored), wanted, "items stored")
    }
}
