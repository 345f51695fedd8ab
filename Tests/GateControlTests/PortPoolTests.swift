import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

@Suite struct PortPoolTests {
    private let tenants = [ID<Tenant>.random(), ID<Tenant>.random(), ID<Tenant>.random()]

    @Test(arguments: 0..<20)
    func `no sequence of events hands out a held or resting port`(seed: UInt64) {
        var generator = SeededGenerator(seed)
        let clock = ManualClock()
        let range = 100...111
        let pool = PortPool(address: "127.0.0.1", range: range, held: [], rests: [])
        var held: [Int: ID<Tenant>] = [:]
        var rests: [Int: (tenant: ID<Tenant>, since: Timestamp)] = [:]
        func isFree(_ port: Int, for tenant: ID<Tenant>) -> Bool {
            guard held[port] == nil else { return false }
            guard let rest = rests[port] else { return true }
            let age = clock.now - rest.since
            return age >= (rest.tenant == tenant ? PortPool.rest : PortPool.foreignRest)
        }
        for _ in 0..<2_000 {
            let tenant = tenants[Int.random(in: 0..<tenants.count, using: &generator)]
            switch Int.random(in: 0..<10, using: &generator) {
            case 0...4:
                let free = range.filter { isFree($0, for: tenant) }
                let port = pool.take(for: tenant, at: clock.now)
                if let port {
                    guard free.contains(port) else {
                        Issue.record("\(port) is handed out, free are \(free)")
                        return
                    }
                    held[port] = tenant
                    rests[port] = nil
                } else {
                    #expect(free.isEmpty)
                }
            case 5...6:
                guard let (port, owner) = held.randomElement(using: &generator) else { continue }
                pool.rest(port, tenant: owner, at: clock.now)
                held[port] = nil
                rests[port] = (owner, clock.now)
            case 7:
                guard let (port, _) = held.randomElement(using: &generator) else { continue }
                pool.giveBack(port)
                held[port] = nil
            default:
                clock.advance(by: .seconds(Int.random(in: 0...20_000, using: &generator)))
            }
            #expect(pool.heldCount == held.count)
        }
    }

    @Test func `what the store holds and lays to rest at the start is respected`() {
        let now = Timestamp(seconds: 1_000)
        let pool = PortPool(
            address: "127.0.0.1", range: 1...3, held: [1],
            rests: [
                PortRest(port: 2, tenant: tenants[0], restsUntil: now + .seconds(1), foreignUntil: now + .seconds(9))
            ])
        #expect(pool.take(for: tenants[0], at: now) == 3)
        #expect(pool.take(for: tenants[0], at: now) == nil)
        #expect(pool.take(for: tenants[1], at: now + .seconds(8)) == nil)
        #expect(pool.take(for: tenants[1], at: now + .seconds(9)) == 2)
    }

    @Test func `a freed port comes back as late as the range allows`() {
        let pool = PortPool(address: "127.0.0.1", range: 1...4, held: [], rests: [])
        let now = Timestamp(seconds: 1_000)
        let first = pool.take(for: tenants[0], at: now)
        if let first { pool.giveBack(first) }
        let next = (0..<3).compactMap { _ in pool.take(for: tenants[0], at: now) }
        #expect(!next.contains(first ?? 0))
        #expect(pool.take(for: tenants[0], at: now) == first)
    }
}
