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

    @Test func `bodies that wait together share a commit, and those too many are refused`() async throws {
        let roadblock = await Roadblock(on: database)
        let before = database.commitCounts
        try await withThrowingTaskGroup(of: StoreError?.self) { tasks in
            for index in 0..<4196 { tasks.addTask { [self] in await refusal(ofItem: "item-\(index)") } }
            // 4096 may wait; the other 100 answer at once, while nothing can be committed.
            for _ in 0..<100 { #expect(try await tasks.next() == .transient("too many writes wait")) }
            try await roadblock.lift()
            for try await refusal in tasks { #expect(refusal == nil) }
        }
        let after = database.commitCounts
        #expect(after.jobs - before.jobs == 1 + 4096)
        #expect(after.commits - before.commits == 1 + 4096 / 256)
        #expect(try database.itemCount() == 4096)
    }

    @Test func `when the commit fails, nobody of the group is told "stored"`() async throws {
        try await database.migrate { transaction in
            try transaction.executeScript("CREATE TABLE note (id TEXT NOT NULL REFERENCES item (id));")
        }
        let roadblock = await Roadblock(on: database)
        let bad = Task { [database] in
            try await database.write { transaction in
                // A deferred key is broken at COMMIT only.
                try transaction.execute("PRAGMA defer_foreign_keys = ON")
                try transaction.execute("INSERT INTO note (id) VALUES ('nowhere')")
                return
            }
        }
        let neighbours = (0..<20).map { index in Task { [self] in await refusal(ofItem: "item-\(index)") } }
        try await roadblock.lift()
        await #expect(throws: StoreError.self) { try await bad.value }
        var stored = 0
        for neighbour in neighbours where await neighbour.value == nil { stored += 1 }
        #expect(try database.itemCount() == stored)
        try await database.insertItem("later")
        #expect(try SQLiteStoreFile(path: directory.file).damage().isEmpty)
    }

    @Test func `a full disk is told as such, and the store goes on afterwards`() async throws {
        try await limitPages(to: 20)
        let verdicts = await withTaskGroup(of: StoreError?.self) { tasks in
            for index in 0..<64 {
                tasks.addTask { [self] in await refusal(ofItem: "item-\(index)", bytes: 10_000) }
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
        #expect(try SQLiteStoreFile(path: directory.file).damage().isEmpty)
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

    @Test func `closing commits what was accepted and refuses what comes later`() async throws {
        let roadblock = await Roadblock(on: database)
        let writes = (0..<100).map { index in Task { [self] in await refusal(ofItem: "item-\(index)") } }
        let closing = Task { [database] in try await database.close() }
        try await roadblock.lift()
        var stored = 0
        for write in writes {
            let refusal = await write.value
            if refusal == nil { stored += 1 } else { #expect(refusal == .transient("the store is closed")) }
        }
        try await closing.value
        #expect(await refusal(ofItem: "late") == .transient("the store is closed"))
        #expect(throws: StoreError.self) { try database.itemCount() }
        let reopened = try SQLiteDatabase(path: directory.file)
        #expect(try reopened.itemCount() == stored)
    }

    private func refusal(ofItem id: String, bytes: Int = 0) async -> StoreError? {
        do {
            try await database.insertItem(id, bytes: bytes)
            return nil
        } catch {
            return error as? StoreError ?? .engine(code: "not a StoreError: \(error)")
        }
    }

    /// The file may not grow beyond so many pages of 4096 bytes: as a full disk would have it.
    private func limitPages(to count: Int) async throws {
        try await database.migrate { transaction in
            try transaction.executeScript("PRAGMA max_page_count = \(count)")
        }
    }

    private func isFull(_ error: StoreError) -> Bool { if case .full = error { true } else { false } }
}
