import GateControl
import GateModel
import GateStore
import GateStoreSQLite
import GateTesting
import Synchronization
import Testing

@Suite struct TicketServiceTests {
    private func redeem(
        _ text: Secret<String>, on gateway: TestGateway, listener: Principal? = nil
    ) async throws -> LiveStream {
        try await TicketService(gateway.dependencies).redeem(
            text.reveal(), at: .auditStream, listener: listener, source: "192.0.2.9")
    }

    private func mint(_ gateway: TestGateway, by caller: Caller) async throws -> Secret<String> {
        try await TicketService(gateway.dependencies).mint(for: .auditStream, by: caller)
    }

    @Test func `a ticket opens one stream, once, for whoever asked for it`() async throws {
        let gateway = try await TestGateway.make()
        let user = try await gateway.userCaller()
        let text = try await mint(gateway, by: user)
        #expect(CredentialKind(shapeOf: text.reveal()) == .webSocketTicket)
        let stream = try await redeem(text, on: gateway)
        #expect(stream.principal == user.principal)
        await #expect(throws: ControlError.ticketRefused) { try await redeem(text, on: gateway) }
        #expect(gateway.dependencies.credentials.streams.count == 1)
        #expect(try await gateway.auditedActions().filter { $0 == "stream.opened" }.count == 1)
    }

    @Test(arguments: [(Duration.seconds(30), true), (.seconds(30) + .microseconds(1), false), (.seconds(31), false)])
    func `it lives thirty seconds`(age: Duration, isGood: Bool) async throws {
        let gateway = try await TestGateway.make()
        let text = try await mint(gateway, by: gateway.userCaller())
        gateway.clock.advance(by: age)
        if isGood {
            _ = try await redeem(text, on: gateway)
        } else {
            await #expect(throws: ControlError.ticketRefused) { try await redeem(text, on: gateway) }
        }
    }

    @Test(arguments: [
        "", "x", "tgw_short", "tgp_" + CredentialText.body, "tgw_" + CredentialText.body + "A",
        "tgw_" + CredentialText.body,
    ])
    func `a text that is no ticket is refused without a write`(text: String) async throws {
        let gateway = try await TestGateway.make()
        let writes = gateway.database.writes
        await #expect(throws: ControlError.ticketRefused) { try await redeem(Secret(text), on: gateway) }
        #expect(gateway.database.writes == writes)
        #expect(gateway.dependencies.refusals.total == 1)
    }

    @Test func `the store has no ticket's text, and none that was used`() async throws {
        let gateway = try await TestGateway.make()
        let user = try await gateway.userCaller()
        let text = try await mint(gateway, by: user)
        let rows = try await gateway.database.read { tx in String(describing: try tx.rows("SELECT * FROM ws_ticket")) }
        #expect(!rows.contains(text.reveal()))
        _ = try await redeem(text, on: gateway)
        let left = try await gateway.database.read { tx in try tx.rows("SELECT digest FROM ws_ticket").count }
        #expect(left == 0)
    }

    @Test func `of many who present one ticket at once, on two processes' stores, one wins`() async throws {
        let gateway = try await TestGateway.make()
        let user = try await gateway.userCaller()
        for _ in 0..<10 {
            let text = try await mint(gateway, by: user)
            let winners = try await withThrowingTaskGroup(of: LiveStream?.self) { group in
                for number in 0..<32 {
                    group.addTask {
                        // Two processes share the file and nothing else.
                        let own = number % 2 == 0 ? gateway : try await gateway.secondProcess()
                        return try? await TicketService(own.dependencies).redeem(
                            text.reveal(), at: .auditStream, listener: nil, source: "s")
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(winners.compactMap { $0 }.count == 1)
        }
    }

    @Test func `twenty who each ask for one and use it at once all get in`() async throws {
        let gateway = try await TestGateway.make()
        let user = try await gateway.userCaller()
        let streams = try await withThrowingTaskGroup(of: LiveStream.self) { group in
            for _ in 0..<20 { group.addTask { try await redeem(mint(gateway, by: user), on: gateway) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(streams.count == 20)
    }

    @Test func `one principal has so many unused tickets and no more`() async throws {
        let gateway = try await TestGateway.make()
        let user = try await gateway.userCaller()
        for _ in 0..<TicketService.limit { _ = try await mint(gateway, by: user) }
        await #expect(throws: ControlError.self) { try await mint(gateway, by: user) }
        _ = try await mint(gateway, by: gateway.admin)
        gateway.clock.advance(by: .seconds(31))
        let text = try await mint(gateway, by: user)
        try await TicketService(gateway.dependencies).sweep()
        let left = try await gateway.database.read { tx in try tx.rows("SELECT digest FROM ws_ticket").count }
        #expect(left == 1)
        _ = try await redeem(text, on: gateway)
    }

    @Test func `a machine gets none`() async throws {
        let gateway = try await TestGateway.make()
        let web = try await gateway.enrol("web", controlKey: 1)
        await #expect(throws: ControlError.forbidden) { try await mint(gateway, by: web.caller) }
    }

    @Test func `a ticket dies with the token it was asked for with`() async throws {
        let gateway = try await TestGateway.make()
        let user = try await gateway.userCaller()
        let text = try await mint(gateway, by: user)
        guard case .user(_, .token(let token), _) = user.principal else { return }
        try await gateway.tokens.revoke(token, by: user)
        await #expect(throws: ControlError.ticketRefused) { try await redeem(text, on: gateway) }
        #expect(gateway.dependencies.credentials.streams.count == 0)
    }

    @Test func `a ticket does no more than the token it was asked for with, and comes from where that may come from`()
        async throws
    {
        let gateway = try await TestGateway.make()
        let user = try await gateway.userCaller()
        guard case .user(let owner, let credential, _) = user.principal else { return }
        let narrow = Caller(principal: .user(owner, by: credential, scopes: .machinesRead), source: "192.0.2.2")
        await #expect(throws: ControlError.forbidden) { try await mint(gateway, by: narrow) }
        let (_, text) = try await gateway.tokens.add(wish("office", from: ["192.0.2.0/30"]), by: user)
        let office = try #require(
            try await Authentication(gateway.dependencies).principal(bearer: text.reveal(), source: "192.0.2.1"))
        let ticket = try await mint(gateway, by: Caller(principal: office, source: "192.0.2.1"))
        await #expect(throws: ControlError.ticketRefused) { try await redeem(ticket, on: gateway) }
    }

    @Test func `a ticket of the operator on the host opens nothing elsewhere, and a user's nothing there`() async throws
    {
        let gateway = try await TestGateway.make()
        let user = try await gateway.userCaller()
        let text = try await mint(gateway, by: gateway.admin)
        await #expect(throws: ControlError.ticketRefused) { try await redeem(text, on: gateway) }
        let another = try await mint(gateway, by: gateway.admin)
        #expect(
            try await redeem(another, on: gateway, listener: gateway.admin.principal).principal
                == gateway.admin.principal)
        let users = try await mint(gateway, by: user)
        await #expect(throws: ControlError.ticketRefused) {
            try await redeem(users, on: gateway, listener: gateway.admin.principal)
        }
    }

    @Test func `a store that can't be asked is an error, not a refusal, and the ticket still good after it`()
        async throws
    {
        let gateway = try await TestGateway.make()
        let text = try await mint(gateway, by: gateway.userCaller())
        gateway.database.failWrites(.transient("busy"))
        await #expect(throws: StoreError.self) { try await redeem(text, on: gateway) }
        gateway.database.failWrites(nil)
        _ = try await redeem(text, on: gateway)
    }

    @Test func `a revoke between judging and opening is seen`() async throws {
        let gateway = try await TestGateway.make()
        let user = try await gateway.userCaller()
        guard case .user(let owner, .token(let token), _) = user.principal else { return }
        let text = try await mint(gateway, by: user)
        let isFirst = Mutex(true)
        gateway.database.duringEachWrite {
            guard
                isFirst.withLock({ first in
                    defer { first = false }; return first
                })
            else { return }
            // As a revoke does it that committed just before this transaction's read would have seen it.
            gateway.dependencies.credentials.drop { $0.user?.id == owner.id }
        }
        let stream = try await redeem(text, on: gateway)
        // Judged anew after the epoch was raised: the token is good in the store, so the stream is open.
        #expect(stream.principal == user.principal)
        gateway.database.duringEachWrite(nil)
        try await gateway.tokens.revoke(token, by: user)
        var ends = stream.ends.makeAsyncIterator()
        #expect(await ends.next() == .revoked)
    }
}
