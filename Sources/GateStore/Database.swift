/// A relational engine.
///
/// Bodies are synchronous on purpose: a transaction can't be held across an `await`, so none waits on a network.
/// A body has no side effects but its statements: a driver may run it again, or roll it back with its neighbours.
/// It defers no foreign key, whose failure at COMMIT would fail the neighbours, and never calls the database itself.
public protocol Database: Sendable {
    /// Runs `body` in one read transaction: it sees a single committed state.
    func read<Value: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> Value) async throws -> Value

    /// Runs `body` in one write transaction and answers once it is durable; a throw leaves nothing behind.
    ///
    /// Cancelling the caller doesn't cancel a write that was accepted.
    func write<Value: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> Value) async throws -> Value

    /// Runs `body` as `read` does, but blocks the calling thread: for one indexed lookup, where changing threads
    /// would cost more than the lookup.
    func readNow<Value>(_ body: (any Transaction) throws -> Value) throws -> Value
}

/// What a body may do. Queries are extensions of this protocol.
///
/// Never catch a `StoreError` in a body and go on: PostgreSQL has aborted the transaction by then, SQLite has not.
public protocol Transaction {
    /// Runs one statement that answers no rows. Returns how many rows it inserted, updated or deleted.
    @discardableResult
    func execute(_ statement: SQL) throws(StoreError) -> Int

    /// Runs one statement that answers rows: `SELECT`, or a write with `RETURNING`.
    func rows(_ statement: SQL) throws(StoreError) -> [SQLRow]
}
