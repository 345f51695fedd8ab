import GRDB

extension GRDB.Database {
    /// Runs a statement without arguments, prepared once.
    func run(_ statement: String) throws { try cachedStatement(sql: statement).execute() }

    /// Runs `body` between BEGIN IMMEDIATE and COMMIT; after any error nothing of it remains and none is open.
    ///
    /// IMMEDIATE takes the write lock at once: a deferred transaction that read first can't be made a writer after
    /// another process wrote, and waiting wouldn't help it.
    func inImmediateTransaction<Value>(_ body: () throws -> Value) throws -> Value {
        try run("BEGIN IMMEDIATE")
        do {
            let value = try body()
            try run("COMMIT")
            return value
        } catch {
            if isInsideTransaction { try run("ROLLBACK") }
            throw error
        }
    }
}
