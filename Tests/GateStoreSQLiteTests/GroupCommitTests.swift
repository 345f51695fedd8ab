import GateStore
import GateStoreSQLite
import Testing

@Suite struct GroupCommitTests {
    private let directory: TemporaryDirectory
    private let database: SQLiteDatabase

    init() async throws {
        directory = try TemporaryDirectory()
        database = try SQLiteDatabase(path: directory.file)
        try await database.createItems()
    }

    @Test func `bodies that wait together share a commit`() async throws {
        try await insertAtOnce(400)
        let counts = database.commitCounts
        #expect(counts.jobs == 400)
        #expect(counts.commits < 400)
        #expect(try database.itemCount() == 400)
    }

    @Test func `a full disk is told as such, and the store goes on afterwards`() async throws {
        try await limitPages(to: 20)
        let verdicts = await withTaskGroup(of: StoreError?.self) { tasks in
            for index in 0..<64 {
                tasks.addTask { [database] in
                    do {
                        try await database.insertItem("item-\(index)", bytes: 10_000)
                        return nil
                    } catch { return error as? StoreError ?? .engine(code: "\(error)") }
                }
            }
            return await tasks.reduce(into: []) { $0.append($1) }
        }
        let failures = verdicts.compactMap { $0 }
        #expect(!failures.isEmpty)
        for failure in failures { #expect(isFull(failure), "\(failure)") }
        // Nobody was told "stored" whose row isn't there, nor the reverse.
        #expect(try database.itemCount() == 64 - failures.count)
        try await limitPages(to: 100_000)
        try await database.insertItem("later", bytes: 10_000)
        #expect(try await database.integrityCheck().isEmpty)
    }

    @Test func `a body that catches a full disk and goes on commits nothing by itself`() async throws {
        try await limitPages(to: 20)
        await #expect(throws: (any Error).self) {
            try await database.write { transaction in
                let data = [UInt8](repeating: 1, count: 1_000_000)
                do {
                    try transaction.execute("INSERT INTO item (id, data) VALUES ('big', \(data))")
                } catch {}
                try transaction.execute("INSERT INTO item (id) VALUES ('small')")
                throw StoreError.transient("refused at last")
            }
        }
        #expect(try database.itemCount() == 0)
    }

    @Test func `too many waiting writes are refused, the others all stored`() async throws {
        let refused = await withTaskGroup(of: Bool.self) { tasks in
            for index in 0..<6000 {
                tasks.addTask { [database] in
                    do {
                        try await database.insertItem("item-\(index)")
                        return false
                    } catch { return true }
                }
            }
            return await tasks.reduce(0) { count, isRefused in isRefused ? count + 1 : count }
        }
        #expect(try database.itemCount() == 6000 - refused)
    }

    @Test func `closing commits what was accepted and refuses what comes later`() async throws {
        let writes = Task { try await insertAtOnce(100) }
        try await writes.value
        try await database.close()
        await #expect(throws: StoreError.transient("the store is closed")) { try await database.insertItem("late") }
        let reopened = try SQLiteDatabase(path: directory.file)
        #expect(try reopened.itemCount() == 100)
    }

    private func insertAtOnce(_ count: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for index in 0..<count { tasks.addTask { [database] in try await database.insertItem("item-\(index)") } }
            try await tasks.waitForAll()
        }
    }

    private func limitPages(to count: Int) async throws {
        _ = try await database.write { transaction in
            try count == 20
                ? transaction.rows("PRAGMA max_page_count = 20") : transaction.rows("PRAGMA max_page_count = 100000")
        }
    }

    private func isFull(_ error: StoreError) -> Bool { if case .full = error { true } else { false } }
}
