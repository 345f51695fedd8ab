import GateControl
import GateModel
import GateTesting
import Synchronization
import Testing

@Suite struct SignInDampingTests {
    private let now = Timestamp(seconds: 1_772_366_400)

    @Test func `a source has ten wrong tries, and one more each thirty seconds`() {
        let damping = SignInDamping()
        for number in 0..<10 {
            #expect(damping.admit(source: "192.0.2.1", account: "a", at: now) == .admitted(weight: number))
        }
        guard case .refused(let wait) = damping.admit(source: "192.0.2.1", account: "a", at: now) else {
            Issue.record("admitted")
            return
        }
        #expect(wait == .seconds(30))
        #expect(damping.admit(source: "192.0.2.2", account: "a", at: now) == .admitted(weight: 0))
        #expect(damping.admit(source: "192.0.2.1", account: "a", at: now + .seconds(30)) == .admitted(weight: 9))
    }

    @Test func `who was right before, from there, comes first, until they are wrong`() {
        let damping = SignInDamping()
        damping.right(source: "192.0.2.1", account: "a")
        #expect(damping.admit(source: "192.0.2.1", account: "b", at: now) == .admitted(weight: 0))
        damping.giveBack(source: "192.0.2.1", at: now)
        #expect(damping.admit(source: "192.0.2.1", account: "a", at: now) == .admitted(weight: -1))
        #expect(damping.admit(source: "192.0.2.1", account: "a", at: now) == .admitted(weight: 1))
    }

    @Test func `a right password costs nothing`() {
        let damping = SignInDamping()
        for _ in 0..<100 {
            #expect(damping.admit(source: "192.0.2.1", account: "a", at: now) == .admitted(weight: 0))
            damping.giveBack(source: "192.0.2.1", at: now)
        }
    }

    @Test func `5,000 wrong passwords from 100 sources lock nobody out who wasn't wrong, and memory stays flat`() {
        let damping = SignInDamping()
        var admitted = 0
        for number in 0..<5_000 {
            let source = "198.51.100.\(number % 100)"
            if case .admitted = damping.admit(source: source, account: "admin", at: now) {
                admitted += 1
                _ = damping.wrong(account: "admin", at: now)
            }
        }
        // Once the account is under attack, a source that was wrong three times is done with it.
        #expect(admitted < 500)
        #expect(damping.admit(source: "192.0.2.1", account: "admin", at: now) == .admitted(weight: 0))
        #expect(damping.entries <= 102)
    }

    @Test func `a million sources take the memory of sixteen thousand`() {
        let damping = SignInDamping(limit: 1_000)
        for number in 0..<20_000 { _ = damping.admit(source: "source-\(number)", account: "a", at: now) }
        #expect(damping.entries <= 1_001)
    }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("2001:db8::1", "2001:db8:0:0::/64"),
        ("::1", "0:0:0:0::/64"), ("local", "local"),
    ])
    func `an IPv6 subscriber is one source`(source: String, group: String) { #expect(sourceGroup(source) == group) }

    @Test func `slots run so many at once, and who was never wrong comes before the crowd`() async throws {
        let slots = HashingSlots(atOnce: 1, queue: 2)
        let gate = Gate()
        let order = Names()
        @Sendable func start(_ name: String, weight: Int) -> Task<Bool, any Error> {
            Task {
                do {
                    try await slots.run(weight: weight) {
                        order.append(name)
                        if name == "first" { gate.wait() }
                    }
                    return true
                } catch ControlError.tooManyAttempts { return false }
            }
        }
        let first = start("first", weight: 0)
        try await until { order.all == ["first"] }
        let guesser = start("guesser", weight: 7)
        try await until { slots.counts.waiting == 1 }
        let other = start("other guesser", weight: 8)
        try await until { slots.counts.waiting == 2 }
        let owner = start("owner", weight: 0)
        #expect(try await !other.value)
        #expect(try await !start("late guesser", weight: 9).value)
        gate.open()
        for job in [first, guesser, owner] { #expect(try await job.value) }
        #expect(order.all == ["first", "owner", "guesser"])
        #expect(slots.counts == (0, 0))
    }
}

private final class Names: Sendable {
    private let names = Mutex<[String]>([])
    func append(_ name: String) { names.withLock { $0.append(name) } }
    var all: [String] { names.withLock { $0 } }
}

/// Blocks a thread of the slots until the test lets it go.
private final class Gate: Sendable {
    private let isOpen = Atomic(false)
    func open() { isOpen.store(true, ordering: .releasing) }
    func wait() { while !isOpen.load(ordering: .acquiring) {} }
}

private func until(_ condition: () -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(10)
    while !condition() {
        guard ContinuousClock.now < end else { throw BadSample() }
        await Task.yield()
    }
}
