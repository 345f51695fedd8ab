import GateControl
import GateModel
import GateTesting
import Testing

@Suite struct RequestLimitsTests {
    private let start = ContinuousClock.now
    private let refusals = RefusalLog()

    private func limits(work: Int? = 10) -> RequestLimits {
        var rules = RequestLimits.Rules()
        rules.refused = (burst: 5, interval: .seconds(1))
        rules.anonymous = (burst: 3, interval: .seconds(1))
        rules.work = work
        return RequestLimits(rules, refusals: refusals)
    }

    private func machine(_ id: ID<Machine>, from source: String = "192.0.2.1") -> Caller {
        Caller(principal: .machine(id, tenant: .random(), by: .agentKey(.random())), source: source)
    }

    @Test func `refused credentials count for their source, an IPv6 subscriber being one`() {
        let limits = limits()
        for number in 0..<5 { #expect(limits.refused(from: "2001:db8::\(number)", at: start) == nil) }
        #expect(limits.refused(from: "2001:db8::ffff", at: start) == .seconds(1))
        #expect(limits.refused(from: "2001:db8:0:1::1", at: start) == nil)
        #expect(limits.refused(from: "192.0.2.1", at: start) == nil)
        #expect(limits.count(.refused) == 1)
        #expect(refusals.total == 1)
    }

    @Test func `what is done for nobody has a share of its own`() {
        let limits = limits()
        for _ in 0..<5 { _ = limits.refused(from: "192.0.2.1", at: start) }
        for _ in 0..<3 { #expect(limits.anonymous(from: "192.0.2.1", at: start) == nil) }
        #expect(limits.anonymous(from: "192.0.2.1", at: start) != nil)
        #expect(limits.anonymous(from: "192.0.2.2", at: start) == nil)
    }

    @Test func `good work counts for its credential and never for its address`() {
        let limits = limits()
        for _ in 0..<100 { _ = limits.refused(from: "192.0.2.1", at: start) }
        // A fleet behind that address.
        for _ in 0..<1_000 { #expect(limits.work(of: machine(.random()), at: start) == nil) }
        let one = ID<Machine>.random()
        // With any of its keys, from anywhere: rotating keys doubles nothing.
        for number in 0..<20 {
            #expect(limits.work(of: machine(one, from: "192.0.2.\(number)"), at: start) == nil)
        }
        #expect(limits.work(of: machine(one), at: start) != nil)
        #expect(limits.work(of: machine(one), at: start + .milliseconds(100)) == nil)
        #expect(limits.count(.work) == 1)
    }

    @Test func `a fleet with one key has a share for each machine it names`() {
        let limits = limits()
        let fleet = Caller(principal: .environment(.agent, tenant: .random()), source: "192.0.2.1")
        for number in 0..<1_000 { #expect(limits.work(of: fleet, claiming: "agent-\(number)", at: start) == nil) }
        for _ in 0..<20 { _ = limits.work(of: fleet, claiming: "agent-1", at: start) }
        #expect(limits.work(of: fleet, claiming: "agent-1", at: start) != nil)
        // What names no machine shares one.
        for _ in 0..<20 { _ = limits.work(of: fleet, claiming: nil, at: start) }
        #expect(limits.work(of: fleet, claiming: "no agent's id", at: start) != nil)
    }

    @Test func `no limit and the host's own operator are never told to wait`() {
        let (none, some) = (limits(work: nil), limits(work: 1))
        let one = machine(.random())
        let operator_ = Caller(principal: .localAdministrator(tenant: .random()), source: "local")
        for _ in 0..<1_000 {
            #expect(none.work(of: one, at: start) == nil)
            #expect(some.work(of: operator_, at: start) == nil)
        }
    }
}
