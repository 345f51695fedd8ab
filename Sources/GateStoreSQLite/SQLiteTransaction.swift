import Foundation
import GRDB
import GateStore

/// Runs statements on one connection, each prepared once and kept.
struct SQLiteTransaction: ScriptTransaction {
    let connection: GRDB.Database

    func execute(_ statement: GateStore.SQL) throws(StoreError) -> Int {
        try mapped {
            let prepared = try prepare(statement)
            let before = connection.totalChangesCount
            try prepared.execute(arguments: arguments(of: statement))
            // The count of the last write stays after a statement that writes no row, such as CREATE TABLE.
            return connection.totalChangesCount == before ? 0 : connection.changesCount
        }
    }

    func rows(_ statement: GateStore.SQL) throws(StoreError) -> [SQLRow] {
        try mapped {
            let prepared = try prepare(statement)
            let names = prepared.columnNames
            let cursor = try Row.fetchCursor(prepared, arguments: arguments(of: statement))
            var rows: [SQLRow] = []
            while let row = try cursor.next() {
                var values: [SQLValue] = []
                values.reserveCapacity(names.count)
                for (name, value) in zip(names, row.databaseValues) {
                    values.append(try SQLValue(value, column: name))
                }
                rows.append(SQLRow(names: names, values: values))
            }
            return rows
        }
    }

    func executeScript(_ script: String) throws(StoreError) { try mapped { try connection.execute(sql: script) } }

    private func prepare(_ statement: GateStore.SQL) throws -> Statement {
        // A full disk or an I/O error may have ended the transaction. A body that caught it and went on would now
        // commit each statement by itself.
        guard connection.isInsideTransaction else { throw StoreError.full("an error ended the transaction") }
        return try connection.cachedStatement(sql: statement.text(.question))
    }

    private func arguments(of statement: GateStore.SQL) throws(StoreError) -> StatementArguments {
        var values: [DatabaseValue] = []
        values.reserveCapacity(statement.bindings.count)
        for binding in statement.bindings { values.append(try binding.databaseValue()) }
        return StatementArguments(values)
    }

    private func mapped<Value>(_ body: () throws -> Value) throws(StoreError) -> Value {
        do { return try body() } catch { throw StoreError(mapping: error) }
    }
}

extension SQLValue {
    fileprivate func databaseValue() throws(StoreError) -> DatabaseValue {
        switch self {
        case .null: return .null
        case .integer(let value): return value.databaseValue
        case .text(let value):
            // PostgreSQL has no such text, and SQLite's C strings would end there: "admin\0x" would become "admin".
            guard !value.utf8.contains(0) else { throw .engine(code: "text contains a NUL byte") }
            return value.databaseValue
        case .blob(let value): return Data(value).databaseValue
        }
    }

    fileprivate init(_ value: DatabaseValue, column: String) throws(StoreError) {
        switch value.storage {
        case .null: self = .null
        case .int64(let value): self = .integer(value)
        case .double: throw .corruptRow(column: column)
        case .string(let value): self = .text(value)
        case .blob(let value): self = .blob(Array(value))
        }
    }
}
