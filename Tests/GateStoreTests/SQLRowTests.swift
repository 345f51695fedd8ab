import GateModel
import GateStore
import Testing

@Suite struct SQLRowTests {
    private let row = SQLRow(
        names: ["id", "amount", "data", "gone", "id"], values: [.text("x"), .integer(7), .blob([1]), .null, .text("y")])

    @Test func `columns are found by name, the first of two equal ones`() throws {
        #expect(try row.text("id") == "x")
        #expect(try row.int("amount") == 7)
        #expect(try row.timestamp("amount") == Timestamp(microseconds: 7))
        #expect(try row.blob("data") == [1])
        #expect(try row.optionalText("gone") == nil)
        #expect(try row.optionalTimestamp("gone") == nil)
        #expect(try row.optionalID("gone", of: SQLRowTests.self) == nil)
    }

    @Test(arguments: ["id", "gone", "absent"])
    func `what isn't an integer throws and never traps`(column: String) {
        #expect(throws: StoreError.corruptRow(column: column)) { try row.integer(column) }
    }

    @Test func `an absent column isn't null`() {
        #expect(throws: StoreError.corruptRow(column: "absent")) { try row.optionalInteger("absent") }
    }

    @Test func `an id that isn't one is a corrupt row`() {
        #expect(throws: StoreError.corruptRow(column: "id")) { try row.id("id", of: SQLRowTests.self) }
    }

    @Test func `a row shorter than its names throws`() {
        let short = SQLRow(names: ["a", "b"], values: [.integer(1)])
        #expect(throws: StoreError.corruptRow(column: "b")) { try short.value("b") }
    }
}
