import GateModel
import Testing

@Suite struct MomentTests {
    @Test(arguments: [
        ("0", 0), ("1772366400", 1_772_366_400), ("2026-03-01", 1_772_323_200), ("2026-03-01T12:00:00Z", 1_772_366_400),
        ("2026-03-01T14:00:00+02:00", 1_772_366_400), ("253402300799", 253_402_300_799),
        ("0001-01-01", -62_135_596_800),
    ])
    func `three spellings are read`(text: String, seconds: Int64) {
        #expect(Timestamp(moment: text) == Timestamp(seconds: seconds))
    }

    @Test(arguments: [
        "", " ", "-1", "1.5", "1772366400s", "253402300800", "9999999999999", "2026-02-30", "2026-3-1", "26-03-01",
        "2026-03-01T12:00:00", "yesterday", "2026-03-01 ", "１", "0x10", "2026-13-01", "2026/03/01", "1e9",
    ])
    func `nothing else is`(text: String) { #expect(Timestamp(moment: text) == nil) }
}
