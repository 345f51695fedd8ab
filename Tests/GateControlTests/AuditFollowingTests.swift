import GateControl
import GateModel
import GateStore
import GateTesting
import Synchronization
import Testing

@Suite struct AuditFollowingTests {
    private struct Enough: Error {}

    /// Writes one event a millisecond, as the exporter finds them.
    private func write(_ count: Int, on gateway: TestGateway, tenant: ID<Tenant>? = nil) async throws
        -> [StoredAuditEvent]
    {
        var events: [AuditEvent] = []
        for number in 0..<count {
            gateway.clock.advance(by: .milliseconds(1))
            events.append(
                AuditEvent(
                    id: .ordered(at: gateway.clock.now), tenant: tenant ?? gateway.dependencies.identity.tenant,
                    gateway: gateway.dependencies.identity.gateway, at: gateway.clock.now, action: .machineAdded,
                    actor: "gateway", subject: "number:\(number)"))
        }
        try await gateway.database.write { [events] tx in for event in events { try tx.appendAudit(event) } }
        return events.map { StoredAuditEvent(event: $0, detailsJSON: "{}") }
    }

    /// The subjects of the first `count` events that a follower is told; `meanwhile` runs with each one's number.
    private func follow(
        _ gateway: TestGateway, _ tail: AuditTail, after: (at: Timestamp, id: ID<AuditEvent>)? = nil, count: Int,
        meanwhile: @escaping @Sendable (Int) async throws -> Void = { _ in }
    ) async throws -> [String] {
        let told = Mutex<[String]>([])
        do {
            try await AuditFollowing(gateway.dependencies, tail: tail).run(after: after, by: gateway.admin.principal) {
                event in
                let number = told.withLock { told in
                    told.append(event.event.subject)
                    return told.count
                }
                try await meanwhile(number)
                if number == count { throw Enough() }
            }
        } catch is Enough {}
        return told.withLock { $0 }
    }

    @Test func `a cursor's successors come first, then what happens, none twice`() async throws {
        let gateway = try await TestGateway.make()
        let tail = AuditTail()
        let before = try await write(5, on: gateway)
        gateway.clock.advance(by: .seconds(60))
        let missed = try await write(250, on: gateway)
        let told = try await follow(gateway, tail, after: (before[4].event.at, before[4].event.id), count: 258) {
            guard $0 == 255 else { return }
            // The exporter publishes what the store has told already, and then news.
            tail.publish(missed.suffix(20))
            tail.publish(try await write(3, on: gateway))
        }
        // Those of the seconds before the cursor may come again.
        let numbers: [Int] = Array(0..<5) + Array(0..<250) + Array(0..<3)
        #expect(told == numbers.map { "number:\($0)" })
    }

    @Test func `an event that was committed late is told too`() async throws {
        let gateway = try await TestGateway.make()
        let late = gateway.clock.now
        gateway.clock.advance(by: .seconds(5))
        let seen = try await write(1, on: gateway)[0]
        // It got its time first, and waited for the writer.
        let event = AuditEvent(
            id: .ordered(at: late), tenant: gateway.dependencies.identity.tenant,
            gateway: gateway.dependencies.identity.gateway, at: late, action: .machineChanged, actor: "gateway",
            subject: "late")
        try await gateway.database.write { tx in try tx.appendAudit(event) }
        let told = try await follow(gateway, AuditTail(), after: (seen.event.at, seen.event.id), count: 2)
        #expect(told.contains("late"))
    }

    @Test func `a follower that is slow reads from the store what it missed, and nobody waits for it`() async throws {
        let gateway = try await TestGateway.make()
        let tail = AuditTail()
        let told = try await withThrowingTaskGroup(of: [String].self) { group in
            group.addTask {
                try await follow(gateway, tail, count: 1_000) { number in
                    guard number == 1 else { return }
                    // While it is busy with the first one, more happens than its queue holds.
                    for _ in 0..<4 { tail.publish(try await write(200, on: gateway)) }
                    tail.publish(try await write(199, on: gateway))
                }
            }
            while tail.followerCount == 0 { await Task.yield() }
            tail.publish(try await write(1, on: gateway))
            return try await group.next() ?? []
        }
        #expect(told.count == 1_000)
        #expect(told.filter { $0 == "number:100" }.count == 5)
        #expect(tail.followerCount == 0)
    }

    @Test func `nobody is told of another tenant`() async throws {
        let gateway = try await TestGateway.make()
        let tail = AuditTail()
        let foreign = ID<Tenant>.random()
        try await gateway.database.write { [now = gateway.clock.now] tx in
            try tx.insertTenant(foreign, name: "foreign", at: now)
        }
        let start = try await write(1, on: gateway)[0].event
        let others = try await write(10, on: gateway, tenant: foreign)
        let told = try await follow(gateway, tail, after: (start.at, start.id), count: 2) { number in
            guard number == 1 else { return }
            tail.publish(others)
            tail.publish(try await write(1, on: gateway))
        }
        #expect(told == ["number:0", "number:0"])
    }

    @Test func `who may not read the trail may not follow it`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        await #expect(throws: ControlError.forbidden) {
            try await AuditFollowing(gateway.dependencies, tail: AuditTail()).run(
                after: nil, by: web.caller.principal, deliver: { _ in })
        }
    }
}
