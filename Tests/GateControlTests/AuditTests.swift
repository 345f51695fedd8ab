import GateControl
import GateModel
import GateStore
import GateTesting
import Testing

/// A change of the store with its event; each is refused by the store once and then let through.
struct AuditedChange: Sendable, CustomStringConvertible {
    let description: String
    let events: [String]
    let run: @Sendable (TestGateway, TestGateway.Enrolled) async throws -> Void

    init(
        _ events: [String], _ run: @escaping @Sendable (TestGateway, TestGateway.Enrolled) async throws -> Void
    ) {
        self.description = events.joined(separator: ", ")
        self.events = events
        self.run = run
    }

    static let all = [
        AuditedChange(["machine.added", "enrolment.added"]) { gateway, _ in _ = try await gateway.add("db") },
        AuditedChange(["machine.changed"]) { gateway, _ in
            _ = try await gateway.machines.patch("web", .init(site: named("Kiel")), by: gateway.admin)
        },
        AuditedChange(["machine.removed"]) { gateway, _ in
            try await gateway.machines.remove("web", by: gateway.admin)
        },
        AuditedChange(["enrolment.added"]) { gateway, _ in
            _ = try await gateway.enrolments.add(to: "web", lifetime: .seconds(60), by: gateway.admin)
        },
        AuditedChange(["agent-key.added"]) { gateway, _ in
            _ = try await gateway.agentKeys.add(to: "web", label: named("added"), by: gateway.admin)
        },
        AuditedChange(["agent-key.revoked"]) { gateway, web in
            try await gateway.agentKeys.revoke(web.keyID, of: "web", by: gateway.admin)
        },
        AuditedChange(["machine.registered"]) { gateway, web in try await gateway.register(web, key: 50) },
        AuditedChange(["tunnel-key.added"]) { gateway, _ in try await gateway.addJump(51, to: ["web"]) },
        AuditedChange(["setup.offered"]) { gateway, _ in
            _ = try await SetupService(gateway.dependencies).makeSecret()
        },
        AuditedChange(["user.added"]) { gateway, _ in
            _ = try await SetupService(gateway.dependencies).needsAdministrator()
        },
    ]
}

@Suite struct AuditTests {
    @Test(arguments: AuditedChange.all)
    func `a fact and its event are written together or not at all`(change: AuditedChange) async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        let before = try await gateway.storeContents()
        let eventsBefore = try await gateway.auditedActions()
        gateway.database.failWrites(.full("disk"))
        await #expect(throws: StoreError.full("disk")) { try await change.run(gateway, web) }
        #expect(try await gateway.storeContents() == before)
        gateway.database.failWrites(nil)
        gateway.clock.advance(by: .seconds(1))
        try await change.run(gateway, web)
        #expect(try await gateway.storeContents() != before)
        #expect(
            Array(try await gateway.auditedActions().dropFirst(eventsBefore.count)).sorted() == change.events.sorted())
    }

    @Test func `events say who, with which credential, from where`() async throws {
        let gateway = try await TestGateway.make()
        let user = try await gateway.userCaller()
        guard case .user(let owner, .token(let token), _) = user.principal else { return }
        _ = try await gateway.machines.add(
            name: named("web"), agentID: nil, organization: named(""), site: named(""), tags: [],
            enrolmentLifetime: .seconds(60), by: user)
        let event = try #require(
            try await AuditService(gateway.dependencies).events(
                action: "machine.added", after: nil, limit: 1, by: user
            ).first?.event)
        #expect(event.actor == "user:\(owner.id)")
        #expect(event.credential == "token:\(token)")
        #expect(event.source == "192.0.2.2")
        #expect(event.at == gateway.clock.now)
    }

    @Test func `no event holds a credential`() async throws {
        let gateway = try await TestGateway.make()
        let token = try await gateway.administratorToken()
        let (_, enrolment) = try await gateway.add("db")
        let web = try await gateway.enrol("web", controlKey: 1)
        try await gateway.register(web, key: 2)
        let everything = try await gateway.storeContents()
        for secret in [token, enrolment, web.key] { #expect(!everything.contains(secret)) }
    }

    @Test func `pages walk the trail newest first, and exported events are told apart`() async throws {
        let gateway = try await TestGateway.make()
        let audit = AuditService(gateway.dependencies)
        for number in 0..<25 {
            try await audit.append("test.event", subject: "n:\(number)", severity: .info, outcome: .success)
            if number % 3 == 0 { gateway.clock.advance(by: .seconds(1)) }
        }
        var seen: [String] = []
        var after: (at: Timestamp, id: ID<AuditEvent>)?
        while true {
            let page = try await audit.events(action: nil, after: after, limit: 4, by: gateway.admin).map(\.event)
            seen += page.map(\.subject)
            guard page.count == 4, let last = page.last else { break }
            after = (last.at, last.id)
        }
        #expect(Set(seen).count == 25)
        #expect(seen.count == 25)
        #expect(seen.last == "n:0")
        let first = try await audit.unexported(limit: 10).map(\.event.id)
        try await audit.markExported(first)
        let rest = try await audit.unexported(limit: 100).map(\.event.id)
        #expect(first.count == 10)
        #expect(rest.count == 15)
        #expect(Set(first).isDisjoint(with: rest))
    }
}
