import GateModel
import GateTesting
import Testing

@Suite struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (1, "1970-01-01T00:00:00.000001Z"), (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00Z"), (1_772_366_400_000_250, "2026-03-01T12:00:00.000250Z"),
            (-2_203_891_200_000_000, "1900-03-01T00:00:00Z"), (253_402_300_799_000_000, "9999-12-31T23:59:59Z"),
            (-62_167_219_200_000_000, "0000-01-01T00:00:00Z"),
        ] as [(Int64, String)])
    func `known moments are written and read`(microseconds: Int64, text: String) {
        #expect(Timestamp(microseconds: microseconds).rfc3339 == text)
        #expect(Timestamp(rfc3339: text)?.microseconds == microseconds)
    }

    @Test func `a thousand random moments of four-digit years read back as they were`() {
        var generator = SeededGenerator(1)
        for _ in 0..<1_000 {
            let moment = Timestamp(
                microseconds: .random(in: -62_167_219_200_000_000...253_402_300_799_999_999, using: &generator))
            #expect(Timestamp(rfc3339: moment.rfc3339) == moment)
        }
    }

    @Test(arguments: [
        ("2026-03-01T12:00:00+02:00", "2026-03-01T10:00:00Z"), ("2026-03-01t12:00:00z", "2026-03-01T12:00:00Z"),
        ("2026-03-01 12:00:00Z", "2026-03-01T12:00:00Z"), ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z"),
        ("2026-03-01T12:00:00-00:30", "2026-03-01T12:30:00Z"),
        ("2026-03-01T12:00:00.5Z", "2026-03-01T12:00:00.500000Z"),
        ("2026-03-01T12:00:00.123456789Z", "2026-03-01T12:00:00.123456Z"),
    ])
    func `offsets and fractions are brought to UTC and microseconds`(text: String, canonical: String) {
        #expect(Timestamp(rfc3339: text)?.rfc3339 == canonical)
    }

    @Test(arguments: [
        "", "2026", "2026-03-01", "2026-03-01T12:00:00", "2026-13-01T12:00:00Z", "2026-00-01T12:00:00Z",
        "2026-02-29T12:00:00Z", "1900-02-29T12:00:00Z", "2026-04-31T12:00:00Z", "2026-03-00T12:00:00Z",
        "2026-03-01T24:00:00Z", "2026-03-01T12:60:00Z", "2026-03-01T12:00:60Z", "2026-03-01T12:00:00.Z",
        "2026-03-01T12:00:00.1234567890Z", "2026-03-01T12:00:00+24:00", "2026-03-01T12:00:00+02:60",
        "2026-03-01T12:00:00+0200", "2026-03-01T12:00:00ZZ", "2026-03-01T12:00:00Z ", " 2026-03-01T12:00:00Z",
        "+026-03-01T12:00:00Z", "-026-03-01T12:00:00Z", "12026-03-01T12:00:00Z", "2026-3-01T12:00:00Z",
        "2026-03-01T12:00:00Z\u{0}", "٢٠٢٦-03-01T12:00:00Z", "2026-03-01T12:00:00+", "2026-03-01T12:00:00*02:00",
        "2026-03-01T12:00:00.00000000000000000000000000000000000000000000000001Z",
    ])
    func `what RFC 3339 doesn't allow is refused`(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test func `sshd's expiry time is in UTC and says so`() {
        #expect(Timestamp(seconds: 1_772_366_400).sshExpiryTime == "20260301120000Z")
    }

    @Test(arguments: [Int64.min, Int64.min + 1, Int64.max - 1, Int64.max])
    func `the ends of time are written without a trap`(microseconds: Int64) {
        let moment = Timestamp(microseconds: microseconds)
        #expect(moment.rfc3339.hasSuffix("Z"))
        #expect(moment.sshExpiryTime.hasSuffix("Z"))
        #expect(moment.wholeSeconds == (microseconds < 0 ? -9_223_372_036_855 : 9_223_372_036_854))
    }

    @Test func `sums and differences saturate`() {
        let (least, most) = (Timestamp(microseconds: .min), Timestamp(microseconds: .max))
        #expect(most + .seconds(1) == most)
        #expect(least - .seconds(1) == least)
        #expect(Timestamp(seconds: .max) == most)
        #expect(Timestamp(seconds: .min) == least)
        #expect(Timestamp(seconds: 0) + .seconds(Int64.max) == most)
        #expect(most - least == .microseconds(Int64.max))
        #expect(least - most == .microseconds(Int64.min))
        #expect(Timestamp(seconds: 5) - Timestamp(seconds: 7) == .seconds(-2))
    }
}
