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
                AuditFilter(action: "machine.added"), limit: 1, by: user
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

    private func event(
        _ gateway: TestGateway, _ subject: String, _ severity: AuditEvent.Severity = .info,
        _ action: AuditAction = .tokenAdded
    ) -> AuditEvent {
        AuditEvent(
            id: .ordered(at: gateway.clock.now), tenant: gateway.dependencies.identity.tenant,
            gateway: gateway.dependencies.identity.gateway, at: gateway.clock.now, action: action, severity: severity,
            actor: "gateway", subject: subject)
    }

    @Test func `pages walk the trail newest first`() async throws {
        let gateway = try await TestGateway.make()
        let audit = AuditService(gateway.dependencies)
        for number in 0..<25 {
            try await gateway.dependencies.record(event(gateway, "n:\(number)"))
            if number % 3 == 0 { gateway.clock.advance(by: .seconds(1)) }
        }
        var seen: [String] = []
        var after: (at: Timestamp, id: ID<AuditEvent>)?
        while true {
            let page = try await audit.events(after: after, limit: 4, by: gateway.admin).map(\.event)
            seen += page.map(\.subject)
            guard page.count == 4, let last = page.last else { break }
            after = (last.at, last.id)
        }
        #expect(Set(seen).count == 25)
        #expect(seen.count == 25)
        #expect(seen.last == "n:0")
    }

    @Test func `events are chosen by severity, time and action`() async throws {
        let gateway = try await TestGateway.make()
        let audit = AuditService(gateway.dependencies)
        let start = gateway.clock.now
        for (number, severity) in [AuditEvent.Severity.info, .warning, .error, .critical, .info].enumerated() {
            try await gateway.dependencies.record(
                event(gateway, "n:\(number)", severity, number == 4 ? .tokenRevoked : .tokenAdded))
            gateway.clock.advance(by: .seconds(10))
        }
        func found(_ filter: AuditFilter) async throws -> String {
            try await audit.events(filter, limit: 100, by: gateway.admin).map { String($0.event.subject.dropFirst(2)) }
                .joined()
        }
        #expect(try await found(AuditFilter()) == "43210")
        #expect(try await found(AuditFilter(severity: .info)) == "43210")
        #expect(try await found(AuditFilter(severity: .warning)) == "321")
        #expect(try await found(AuditFilter(severity: .error)) == "32")
        #expect(try await found(AuditFilter(severity: .critical)) == "3")
        #expect(try await found(AuditFilter(since: start + .seconds(10))) == "4321")
        #expect(try await found(AuditFilter(until: start + .seconds(10))) == "0")
        #expect(try await found(AuditFilter(since: start + .seconds(10), until: start + .seconds(30))) == "21")
        #expect(try await found(AuditFilter(action: "token.revoked", severity: .info)) == "4")
        #expect(try await found(AuditFilter(action: "token.revoked", severity: .warning)) == "")
        #expect(try await found(AuditFilter(action: "no.such")) == "")
    }

    @Test func `a page of anything costs an index, not the trail`() async throws {
        let gateway = try await TestGateway.make()
        let plans = try await gateway.database.read { [tenant = gateway.dependencies.identity.tenant] tx in
            let questions: [SQL] = [
                "EXPLAIN QUERY PLAN SELECT * FROM audit_event WHERE tenant_id = \(tenant) AND severity <> 'info' AND at >= \(1) AND (at, id) < (\(5), \("x")) ORDER BY at DESC, id DESC LIMIT 5",
                "EXPLAIN QUERY PLAN SELECT * FROM audit_event WHERE tenant_id = \(tenant) AND action = \("x") AND at < \(5) ORDER BY at DESC, id DESC LIMIT 5",
                "EXPLAIN QUERY PLAN SELECT * FROM audit_event WHERE gateway_id = \("x") AND sequence IS NOT NULL AND sequence > \(5) AND tenant_id = \(tenant) ORDER BY sequence LIMIT 5",
                "EXPLAIN QUERY PLAN SELECT * FROM audit_event WHERE gateway_id = \("x") AND sequence IS NULL ORDER BY at, id LIMIT 5",
            ]
            return try questions.map { question in
                try tx.rows(question).map { try $0.text("detail") }.joined(separator: "; ")
            }
        }
        let indices = ["audit_event_severe", "audit_event_age", "audit_event_sequence", "audit_event_unsealed"]
        for (plan, index) in zip(plans, indices) {
            #expect(plan.contains("USING INDEX \(index)"), "\(plan)")
            #expect(!plan.contains("TEMP B-TREE"), "\(plan)")
        }
    }

    @Test func `a trail is followed in the order of its chain, by tenant and administrators alone`() async throws {
        let trail = try await SealedTrail.make(batches: [3, 2])
        let audit = AuditService(trail.gateway.dependencies)
        #expect(try await audit.lastSequence() == 5)
        let first = try await audit.sealed(after: 0, limit: 2, by: trail.gateway.admin)
        #expect(first.map(\.sequence) == [1, 2])
        #expect(try await audit.sealed(after: 2, limit: 100, by: trail.gateway.admin).map(\.sequence) == [3, 4, 5])
        let other = Caller(principal: .localAdministrator(tenant: .random()), source: "")
        #expect(try await audit.sealed(after: 0, limit: 100, by: other).isEmpty)
        let web = try await trail.gateway.enrol("web", controlKey: 1)
        await #expect(throws: ControlError.forbidden) { try await audit.sealed(after: 0, limit: 1, by: web.caller) }
    }

    @Test func `what stands alone fails nothing, unless the operator asked for that`() async throws {
        let gateway = try await TestGateway.make()
        let health = gateway.dependencies.auditing.health
        gateway.database.failWrites(.full("disk"))
        try await gateway.dependencies.record(event(gateway, "n"))
        #expect(health.faults.count == 1)
        #expect(health.failures == 1)
        let strict = gateway.dependencies.requiringAudit()
        await #expect(throws: StoreError.full("disk")) { try await strict.record(event(gateway, "n")) }
        gateway.database.failWrites(nil)
        try await strict.record(event(gateway, "n"))
        #expect(strict.auditing.health.faults.isEmpty)
        #expect(health.faults.count == 1)
    }

    @Test func `no credential that a caller put into an event reaches the store`() async throws {
        let gateway = try await TestGateway.make()
        let token = MintedCredential(.personalToken).text.reveal()
        var event = event(gateway, "token \(token)")
        event.source = "\(token)"
        event.details = [
            ("access_token", "abc123"), ("note", "got \(token)"), ("code", "999"), ("state", "xyz"), ("n", "1"),
        ]
        try await gateway.dependencies.record(event)
        let stored = try #require(try await gateway.auditEvents().last)
        #expect(stored.event.subject == "token [redacted]")
        #expect(
            stored.detailsJSON
                == #"{"access_token":"[redacted]","note":"got [redacted]","code":"[redacted]","state":"[redacted]","n":"1"}"#
        )
        #expect(!(try await gateway.storeContents()).contains(token))
    }
}

extension ControlDependencies {
    /// The same with `--audit required`.
    func requiringAudit() -> ControlDependencies {
        ControlDependencies(
            database: database, identity: identity, now: now, keys: keys, credentials: credentials, ports: ports,
            hotState: hotState, refusals: refusals, effects: effects, auditing: Auditing(isRequired: true),
            logger: logger)
    }
}
