import GateModel
import GateTesting
import Testing

@Suite struct IDTests {
    @Test func `random ids are different and say version 4, variant 10`() {
        let ids = (0..<1_000).map { _ in ID<Machine>.random().text }
        #expect(Set(ids).count == ids.count)
        for id in ids {
            let characters = Array(id)
            #expect(characters.count == 36)
            #expect(characters[14] == "4")
            #expect("89ab".contains(characters[19]))
            #expect(ID<Machine>(id)?.text == id)
        }
    }

    @Test func `the same generator gives the same id`() {
        var (first, second) = (SeededGenerator(7), SeededGenerator(7))
        #expect(ID<Machine>.random(using: &first) == ID<Machine>.random(using: &second))
    }

    @Test func `upper case is folded`() throws {
        let id = try #require(ID<Machine>("0189ABCD-ef01-4ABC-8DEF-0123456789AB"))
        #expect(id.text == "0189abcd-ef01-4abc-8def-0123456789ab")
        #expect(id == ID<Machine>(id.text))
        #expect("\(id)" == id.text)
    }

    @Test(arguments: [
        "", "0189abcd", "0189abcdef014abc8def0123456789ab", "{189abcd-ef01-4abc-8def-0123456789ab}",
        "0189abcd-ef01-4abc-8def-0123456789a", "0189abcd-ef01-4abc-8def-0123456789abc",
        "0189abcd-ef01-4abc-8def-0123456789ag", "0189abcd_ef01-4abc-8def-0123456789ab",
        "0189abc--ef01-4abc-8def-0123456789ab", "0189abcd-ef01-4abc-8def-0123456789\u{0}b",
        "0189abcd-ef01-4abc-8def-01234567é9a", " 189abcd-ef01-4abc-8def-0123456789ab",
    ])
    func `what is not a UUID in its canonical form is refused`(text: String) {
        #expect(ID<Machine>(text) == nil)
    }

    @Test func `ordered ids sort by their time to the microsecond and are version 7`() {
        let start: Int64 = 1_772_366_400_000_000
        let ids = [0, 1, 999, 1_000, 1_001, 86_400_000_000].map { offset in
            ID<Machine>.ordered(at: Timestamp(microseconds: start + offset)).text
        }
        #expect(ids == ids.sorted() && Set(ids).count == ids.count)
        for id in ids {
            #expect(ID<Machine>(id)?.text == id)
            #expect(Array(id)[14] == "7" && "89ab".contains(Array(id)[19]))
        }
        // The first 48 bits are the milliseconds.
        #expect(Int64(ids[0].filter { $0 != "-" }.prefix(12), radix: 16) == start / 1_000)
    }
}
