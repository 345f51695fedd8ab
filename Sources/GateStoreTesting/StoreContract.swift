public import GateStore

/// What every engine must do. Each driver's test target runs all rules against itself, each on an empty database.
///
/// The rules use the portable subset alone: an engine that needs another rule has left it.
public struct StoreContract: Sendable {
    /// Makes an empty database, which no other test uses.
    public typealias Factory = @Sendable () async throws -> any MigratingDatabase

    /// One sentence an engine keeps, and the test of it.
    public struct Rule: Sendable, CustomStringConvertible {
        public let description: String
        let check: @Sendable (any MigratingDatabase) async throws -> Void

        init(_ description: String, _ check: @escaping @Sendable (any MigratingDatabase) async throws -> Void) {
            self.description = description
            self.check = check
        }
    }

    /// All rules, for a parameterised test.
    public static let rules: [Rule] = valueRules + statementRules + transactionRules + raceRules + migrationRules

    private let make: Factory

    public init(make: @escaping Factory) { self.make = make }

    /// Throws `ContractBroken`, or whatever the engine threw unexpectedly.
    public func check(_ rule: Rule) async throws {
        let database = try await make()
        try await database.createContractTables()
        try await rule.check(database)
    }
}

/// Says which expectation didn't hold.
public struct ContractBroken: Error, CustomStringConvertible {
    public let description: String
}

func expect(_ condition: Bool, _ expectation: @autoclosure () -> String) throws {
    guard condition else { throw ContractBroken(description: expectation()) }
}

func expectEqual<Value: Equatable>(_ found: Value, _ wanted: Value, _ what: String) throws {
    try expect(found == wanted, "\(what): found \(found), wanted \(wanted)")
}

/// Expects exactly a `StoreError` that `isWanted` knows.
func expectFailure(
    _ what: String, _ isWanted: (StoreError) -> Bool, _ body: () async throws -> Void
) async throws {
    do {
        try await body()
    } catch let error as StoreError {
        return try expect(isWanted(error), "\(what): threw \(error)")
    }
    throw ContractBroken(description: "\(what): threw nothing")
}

extension StoreError {
    var isConflict: Bool { if case .conflict = self { true } else { false } }
    var isTransient: Bool { if case .transient = self { true } else { false } }
}

/// A body's own refusal, as a use case would throw it.
struct Refusal: Error {}

extension MigratingDatabase {
    fileprivate func createContractTables() async throws {
        let blob =
            switch dialect {
            case .sqlite: "BLOB"
            case .postgresql: "BYTEA"
            }
        let text =
            switch dialect {
            case .sqlite: "TEXT"
            case .postgresql: "TEXT COLLATE \"C\""
            }
        try await migrate { transaction in
            try transaction.executeScript(
                """
                CREATE TABLE item (
                    id \(text) NOT NULL PRIMARY KEY,
                    owner \(text) UNIQUE,
                    amount BIGINT NOT NULL DEFAULT 0 CHECK (amount <> 13),
                    data \(blob),
                    ended_at BIGINT
                );
                -- a comment; with a semicolon
                CREATE TABLE note (
                    id \(text) NOT NULL PRIMARY KEY,
                    item_id \(text) NOT NULL REFERENCES item (id)
                );
                """)
        }
    }
}

extension Transaction {
    func insertItem(_ id: String, owner: String? = nil, amount: Int64 = 0) throws(StoreError) {
        try execute("INSERT INTO item (id, owner, amount) VALUES (\(id), \(owner), \(amount))")
    }

    func itemIDs() throws(StoreError) -> [String] {
        var ids: [String] = []
        for row in try rows("SELECT id FROM item ORDER BY id") { ids.append(try row.text("id")) }
        return ids
    }
}
