public import GateModel

/// One row of an answer, read by column name; a missing column or another type throws and never traps.
///
/// Where two columns have one name, the first counts. The names are shared by all rows of an answer.
public struct SQLRow: Hashable, Sendable {
    private let names: [String]
    private let values: [SQLValue]

    /// Makes a row; `names` and `values` correspond by position.
    public init(names: [String], values: [SQLValue]) {
        self.names = names
        self.values = values
    }

    /// The value as stored, or `corruptRow` when there is no such column.
    public func value(_ column: String) throws(StoreError) -> SQLValue {
        guard let index = names.firstIndex(of: column), index < values.count else {
            throw .corruptRow(column: column)
        }
        return values[index]
    }

    public func text(_ column: String) throws(StoreError) -> String { try present(optionalText(column), column) }

    /// Text that holds words with a blank between two.
    public func words(_ column: String) throws(StoreError) -> [String] {
        try text(column).split(separator: " ").map(String.init)
    }

    /// Scopes as their text; nil for NULL.
    func optionalScopes(_ column: String) throws(StoreError) -> Scopes? {
        guard let text = try optionalText(column) else { return nil }
        return try present(Scopes(text: text), column)
    }

    public func optionalText(_ column: String) throws(StoreError) -> String? {
        switch try value(column) {
        case .null: nil
        case .text(let text): text
        default: throw .corruptRow(column: column)
        }
    }

    public func integer(_ column: String) throws(StoreError) -> Int64 { try present(optionalInteger(column), column) }

    public func optionalInteger(_ column: String) throws(StoreError) -> Int64? {
        switch try value(column) {
        case .null: nil
        case .integer(let integer): integer
        default: throw .corruptRow(column: column)
        }
    }

    /// The integer as `Int`: counts, ports, generations.
    public func int(_ column: String) throws(StoreError) -> Int { try present(optionalInt(column), column) }

    public func optionalInt(_ column: String) throws(StoreError) -> Int? {
        guard let integer = try optionalInteger(column) else { return nil }
        guard let int = Int(exactly: integer) else { throw .corruptRow(column: column) }
        return int
    }

    public func blob(_ column: String) throws(StoreError) -> [UInt8] { try present(optionalBlob(column), column) }

    public func optionalBlob(_ column: String) throws(StoreError) -> [UInt8]? {
        switch try value(column) {
        case .null: nil
        case .blob(let blob): blob
        default: throw .corruptRow(column: column)
        }
    }

    public func timestamp(_ column: String) throws(StoreError) -> Timestamp {
        Timestamp(microseconds: try integer(column))
    }

    public func optionalTimestamp(_ column: String) throws(StoreError) -> Timestamp? {
        try optionalInteger(column).map { Timestamp(microseconds: $0) }
    }

    /// The id in a text column, e.g. `row.id("machine_id", of: Machine.self)`.
    public func id<Subject>(_ column: String, of subject: Subject.Type) throws(StoreError) -> ID<Subject> {
        try present(optionalID(column, of: subject), column)
    }

    public func optionalID<Subject>(_ column: String, of subject: Subject.Type) throws(StoreError) -> ID<Subject>? {
        guard let text = try optionalText(column) else { return nil }
        guard let id = ID<Subject>(text) else { throw .corruptRow(column: column) }
        return id
    }

    private func present<Value>(_ value: Value?, _ column: String) throws(StoreError) -> Value {
        guard let value else { throw .corruptRow(column: column) }
        return value
    }
}
