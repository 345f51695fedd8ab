/// The engines there are migration scripts for.
public enum SQLDialect: String, Sendable {
    case sqlite, postgresql
}

/// A database whose schema can be changed. Only start-up sees it by this name; everything else has `Database`.
public protocol MigratingDatabase: Database {
    /// Which of the numbered scripts are this engine's.
    var dialect: SQLDialect { get }

    /// Runs `body` in one transaction of its own, shut against every other writer of the same store.
    func migrate<Value: Sendable>(_ body: @escaping @Sendable (any ScriptTransaction) throws -> Value) async throws
        -> Value

    /// The definitions of all tables and indices, in a normal form: equal schemas give equal text.
    func schemaDump() async throws -> String
}

/// A transaction that can run a whole script: the only place where SQL isn't a literal in Swift.
public protocol ScriptTransaction: Transaction {
    /// Runs all statements of `script`, which comes from this program's own files and never from input.
    func executeScript(_ script: String) throws(StoreError)
}
