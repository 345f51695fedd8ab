import GateModel
import GateStore
import Testing

@Suite struct SQLTests {
    @Test func `an interpolated value becomes a binding and never text`() {
        let name = "x'; DROP TABLE machine; --"
        let statement: SQL = "SELECT id FROM machine WHERE name = \(name) AND port = \(12_000)"
        #expect(statement.text(.question) == "SELECT id FROM machine WHERE name = ? AND port = ?")
        #expect(statement.text(.dollar) == "SELECT id FROM machine WHERE name = $1 AND port = $2")
        #expect(statement.bindings == [.text(name), .integer(12_000)])
    }

    @Test func `nil binds null, and model types bind what is stored`() {
        let absent: String? = nil
        let moment: Timestamp? = Timestamp(microseconds: 5)
        let id = ID<SQLTests>.random()
        let statement: SQL = "\(absent)\(moment)\(id)\([UInt8(7)])\(Int64.min)"
        #expect(statement.bindings == [.null, .integer(5), .text(id.text), .blob([7]), .integer(.min)])
        #expect(statement.text(.question) == "?????")
    }

    @Test func `fragments keep the order of their bindings`() {
        let inner: SQL = "b = \(2) OR c = \(3)"
        let statement: SQL = "a = \(1) AND (\(inner)) AND d = \(4)"
        #expect(statement.text(.dollar) == "a = $1 AND (b = $2 OR c = $3) AND d = $4")
        #expect(statement.bindings == [.integer(1), .integer(2), .integer(3), .integer(4)])
    }

    @Test func `lists and joins`() {
        #expect(SQL.list([1, 2]).text(.dollar) == "($1, $2)")
        #expect(SQL.list([String]()).text(.dollar) == "(NULL)")
        let conditions: [SQL] = ["a = \(1)", "b = \(2)", "c IS NULL"]
        #expect(conditions.joined(by: " AND ").text(.dollar) == "a = $1 AND b = $2 AND c IS NULL")
        #expect([SQL]().joined(by: ", ").text(.question).isEmpty)
    }
}
