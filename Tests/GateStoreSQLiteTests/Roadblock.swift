import Dispatch
import GateStore
import GateStoreSQLite

/// Holds the writer inside a body, so that a test decides which bodies wait together.
struct Roadblock {
    private let gate = DispatchSemaphore(value: 0)
    private let body: Task<Void, any Error>

    /// Returns when the body runs and nothing else can be committed.
    init(on database: SQLiteDatabase) async {
        let (started, announce) = AsyncStream.makeStream(of: Void.self)
        body = Task { [gate] in
            try await database.write { _ in
                announce.finish()
                gate.wait()
            }
        }
        for await _ in started {}
    }

    func lift() async throws {
        gate.signal()
        try await body.value
    }
}
