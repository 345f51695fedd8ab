import GateControl
import GateTesting
import Testing

@Suite struct PacingTests {
    private let start = ContinuousClock.now

    @Test func `so many at once, then one each interval, and what was refused costs nothing`() {
        let pacing = Pacing<String>(burst: 3, interval: .seconds(2), limit: 16)
        for _ in 0..<3 {
            #expect(pacing.wait("a", at: start) == nil)
            #expect(pacing.take("a", at: start) == nil)
        }
        for _ in 0..<100 { #expect(pacing.take("a", at: start) == .seconds(2)) }
        #expect(pacing.wait("a", at: start + .seconds(1)) == .seconds(1))
        #expect(pacing.take("a", at: start + .seconds(2)) == nil)
        #expect(pacing.take("a", at: start + .seconds(2)) == .seconds(2))
        #expect(pacing.take("b", at: start) == nil)
        // All of them are there again after the time they cost.
        for _ in 0..<3 { #expect(pacing.take("a", at: start + .seconds(60)) == nil) }
        #expect(pacing.take("a", at: start + .seconds(60)) != nil)
    }

    @Test(arguments: [1, 2, 7, 50]) func `over any stretch no more than the burst and the rate pass`(burst: Int) {
        var generator = SeededGenerator(UInt64(burst))
        let pacing = Pacing<Int>(burst: burst, interval: .milliseconds(100), limit: 4)
        var passed: [Duration] = []
        var time = Duration.zero
        for _ in 0..<5_000 {
            time += .milliseconds(Int.random(in: 0...60, using: &generator))
            if let wait = pacing.take(0, at: start + time) {
                #expect(wait > .zero && wait <= .milliseconds(100))
            } else {
                passed.append(time)
            }
        }
        for (index, first) in passed.enumerated() {
            for (offset, last) in passed[index...].enumerated().prefix(200) {
                #expect(offset + 1 <= burst + Int((last - first) / .milliseconds(100)) + 1)
            }
        }
        // None is lost but what comes too early: tries are at most 60 ms apart.
        #expect(passed.count >= Int(time / .milliseconds(160)))
    }

    @Test func `memory stays bounded, and the busiest keys stay remembered`() {
        let pacing = Pacing<Int>(burst: 1, interval: .seconds(3_600), limit: 1_000)
        for stranger in 1...100_000 {
            if stranger % 100 == 1 { _ = pacing.take(0, at: start) }
            _ = pacing.take(stranger, at: start)
        }
        #expect(pacing.count <= 1_000)
    }
}
