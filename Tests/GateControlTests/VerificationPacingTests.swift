import GateControl
import GateModel
import Testing

@Suite struct VerificationPacingTests {
    private let pacing = VerificationPacing()
    private let start = ContinuousClock.now

    private func digest(_ number: Int) -> CredentialDigest { CredentialDigest(of: "token \(number)") }

    /// The ticket, or nil when told to wait.
    private func begin(
        _ number: Int, from source: String = "192.0.2.1", after time: Duration = .zero
    ) -> VerificationPacing.Ticket? {
        if case .admitted(let ticket) = pacing.begin(digest(number), from: source, at: start + time) {
            ticket
        } else {
            nil
        }
    }

    private func waste(_ count: Int, from source: String = "192.0.2.1") {
        for number in 100_000..<100_000 + count {
            if let ticket = begin(number, from: source) { pacing.end(ticket, digest(number), isGood: false, at: start) }
        }
    }

    @Test func `a source that wastes its questions waits, and nobody else does`() {
        waste(VerificationPacing.burst)
        #expect(begin(1_000) == nil)
        #expect(begin(1_000, from: "192.0.2.2") != nil)
        #expect(begin(1_001, after: .milliseconds(499)) == nil)
        #expect(begin(1_002, after: .milliseconds(500)) != nil)
        #expect(begin(1_003, after: .milliseconds(501)) == nil)
        #expect(begin(1_004, after: .seconds(3_600)) != nil)
    }

    @Test func `good tokens spend nothing`() {
        for number in 0..<1_000 {
            guard let ticket = begin(number) else {
                Issue.record("\(number) had to wait")
                return
            }
            pacing.end(ticket, digest(number), isGood: true, at: start)
        }
    }

    @Test func `an answer that nobody got stays spent`() {
        for number in 0..<VerificationPacing.burst {
            if let ticket = begin(number) { pacing.end(ticket, digest(number), isGood: nil, at: start) }
        }
        #expect(begin(1_000) == nil)
    }

    @Test func `a token that was good passes where its neighbours wasted everything, until it is refused once`() throws
    {
        let first = try #require(begin(7))
        pacing.end(first, digest(7), isGood: true, at: start)
        waste(VerificationPacing.burst + 10)
        #expect(begin(1_000) == nil)
        let again = try #require(begin(7))
        pacing.end(again, digest(7), isGood: nil, at: start)
        let revoked = try #require(begin(7))
        pacing.end(revoked, digest(7), isGood: false, at: start)
        #expect(begin(7) == nil)
        // And a day later it is as unknown as any.
        let other = try #require(begin(8, from: "192.0.2.9"))
        pacing.end(other, digest(8), isGood: true, at: start)
        waste(VerificationPacing.burst, from: "192.0.2.10")
        #expect(begin(8, from: "192.0.2.10") != nil)
        let day = VerificationPacing.goodFor
        for number in 0..<VerificationPacing.burst { _ = begin(2_000 + number, from: "192.0.2.11", after: day) }
        #expect(begin(8, from: "192.0.2.11", after: day) == nil)
    }

    @Test func `sources that wasted something leave places for those that didn't, and both for known tokens`() throws {
        let known = try #require(begin(1, from: "198.51.100.1"))
        pacing.end(known, digest(1), isGood: true, at: start)
        for source in 0..<20 {
            let name = "203.0.113.\(source)"
            waste(1, from: name)
            for number in 0..<40 { _ = begin(1_000 * source + number, from: name) }
        }
        #expect(begin(1, from: "203.0.113.1") != nil)
        #expect(begin(50_000, from: "203.0.113.1") == nil)
        #expect(begin(50_001, from: "198.51.100.77") != nil)
        for number in 0..<1_000 { _ = begin(60_000 + number, from: "198.18.\(number / 250).\(number % 250)") }
        #expect(begin(50_002, from: "198.51.100.78") == nil)
        #expect(begin(1, from: "198.51.100.79") != nil)
    }

    @Test func `one host's IPv6 addresses are one source`() {
        let name = sourceGroup
        #expect(name("2001:db8:1:2::1") == name("2001:db8:1:2:ffff::9"))
        #expect(name("2001:db8:1:2::1") != name("2001:db8:1:3::1"))
        #expect(name("192.0.2.1") == "192.0.2.1")
    }
}
