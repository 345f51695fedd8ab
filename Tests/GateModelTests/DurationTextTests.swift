import GateModel
import Testing

@Suite struct DurationTextTests {
    @Test(arguments: [
        ("90", 90), ("90s", 90), ("15m", 900), ("12h", 43_200), ("7d", 604_800), ("1h30m", 5_400), ("1m1s", 61),
        ("3660d", 316_224_000), ("007s", 7),
    ])
    func `durations as people write them`(text: String, seconds: Int) {
        #expect(Duration(text: text) == .seconds(seconds))
    }

    @Test(arguments: [
        "", "0", "0s", "0d0h", "-1", "+1", "1 h", "1w", "h", "1h30", "1.5h", "3661d", "99999999999999999999",
        "1000000000d", "1H", "1h\u{0}", "１h", " 1h", "1h\n",
    ])
    func `anything else is refused`(text: String) {
        #expect(Duration(text: text) == nil)
    }

    @Test func `a very long sum is refused, not added up until it traps`() {
        #expect(Duration(text: String(repeating: "999999999d", count: 200_000)) == nil)
    }
}
