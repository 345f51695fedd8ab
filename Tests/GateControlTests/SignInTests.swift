import GateControl
import GateModel
import GateStore
import GateTesting
import Synchronization
import Testing

private let phrase = "correct horse battery"

/// An administrator with a password, and the services that check it.
struct SignInSite {
    let gateway: TestGateway
    let signIn: SignInServices
    let user: User

    static func make(damping: SignInDamping = SignInDamping()) async throws -> SignInSite {
        let gateway = try await TestGateway.make()
        let signIn = try gateway.makeSignIn(damping: damping)
        guard let user = try await gateway.userCaller().principal.user else { throw BadSample() }
        try await signIn.passwords.setPassword(ofUserNamed: "admin", current: nil, new: phrase, by: gateway.admin)
        return SignInSite(gateway: gateway, signIn: signIn, user: user)
    }

    func signIn(
        _ password: String = phrase, name: String = "admin", code: String? = nil, source: String = "192.0.2.77"
    ) async throws -> SignedIn {
        try await signIn.passwords.signIn(
            name: name, password: password, code: code, source: source, client: named("Browser 1.0"))
    }

    func caller(_ signedIn: SignedIn) -> Caller {
        Caller(
            principal: .user(signedIn.user, by: .session(signedIn.session.id), scopes: signedIn.user.role.scopes),
            source: "192.0.2.77")
    }

    func isLive(_ signedIn: SignedIn) async throws -> Bool {
        try await signIn.sessions.verify(cookie: signedIn.cookie.reveal(), source: "s") != nil
    }
}

@Suite struct SignInTests {
    @Test func `a right password opens a session, whose cookie the store doesn't hold`() async throws {
        let site = try await SignInSite.make()
        let signedIn = try await site.signIn()
        let found = try #require(try await site.signIn.sessions.verify(cookie: signedIn.cookie.reveal(), source: "s"))
        #expect(found.user == site.user)
        #expect(found.session.client == "Browser 1.0")
        let contents = try await site.gateway.storeContents()
        #expect(!contents.contains(signedIn.cookie.reveal()))
        #expect(!contents.contains(phrase))
        #expect(try await site.gateway.auditedActions().contains("login.succeeded"))
    }

    @Test func `a wrong password, an unknown name, no password and a disabled user are refused alike`() async throws {
        let site = try await SignInSite.make()
        _ = try await site.gateway.addUser("without")
        await #expect(throws: ControlError.signInRefused) { try await site.signIn("wrong horse battery") }
        await #expect(throws: ControlError.signInRefused) { try await site.signIn(name: "nobody") }
        await #expect(throws: ControlError.signInRefused) { try await site.signIn(name: "without") }
        try await site.gateway.database.write { tx in
            _ = try tx.execute("UPDATE gate_user SET disabled_at = 1 WHERE id = \(site.user.id)")
        }
        await #expect(throws: ControlError.signInRefused) { try await site.signIn() }
    }

    @Test func `a disabled user's session is dead at once`() async throws {
        let site = try await SignInSite.make()
        let signedIn = try await site.signIn()
        try await site.gateway.database.write { tx in
            _ = try tx.execute("UPDATE gate_user SET disabled_at = 1 WHERE id = \(site.user.id)")
        }
        #expect(try await !site.isLive(signedIn))
    }

    @Test func `a new password ends every session and every half sign-in`() async throws {
        let site = try await SignInSite.make()
        let (first, second) = (try await site.signIn(), try await site.signIn())
        let caller = site.caller(first)
        await #expect(throws: ControlError.signInRefused) {
            try await site.signIn.passwords.setPassword(
                ofUserNamed: nil, current: "not the present one", new: "another long one", by: caller)
        }
        await #expect(throws: ControlError.self) {
            try await site.signIn.passwords.setPassword(
                ofUserNamed: nil, current: nil, new: "another long one", by: caller)
        }
        #expect(try await site.isLive(second))
        try await site.signIn.passwords.setPassword(
            ofUserNamed: nil, current: phrase, new: "another long one", by: caller)
        #expect(try await !site.isLive(first))
        #expect(try await !site.isLive(second))
        await #expect(throws: ControlError.signInRefused) { try await site.signIn() }
        _ = try await site.signIn("another long one")
    }

    @Test(arguments: ["short", "aaaaaaaaaaaaaaaa", "Admin", String(repeating: "long ", count: 60)])
    func `a password that is too short, too long or too plain is refused`(password: String) async throws {
        let site = try await SignInSite.make()
        await #expect(throws: ControlError.self) {
            try await site.signIn.passwords.setPassword(
                ofUserNamed: "admin", current: nil, new: password, by: site.gateway.admin)
        }
        _ = try await site.signIn()
    }

    @Test func `a session ends unused after the idle time and in any case after the absolute one`() async throws {
        let site = try await SignInSite.make()
        let signedIn = try await site.signIn()
        for _ in 0..<16 {
            site.gateway.clock.advance(by: .seconds(10 * 3_600))
            #expect(try await site.isLive(signedIn))
        }
        site.gateway.clock.advance(by: .seconds(8 * 3_600))
        #expect(try await !site.isLive(signedIn))
        let idle = try await site.signIn()
        site.gateway.clock.advance(by: .seconds(12 * 3_600))
        #expect(try await !site.isLive(idle))
    }

    private func open(_ site: SignInSite, _ signedIn: SignedIn) async throws -> LiveStream {
        let tickets = TicketService(site.gateway.dependencies)
        let text = try await tickets.mint(for: .auditStream, by: site.caller(signedIn))
        return try await tickets.redeem(text.reveal(), at: .auditStream, listener: nil, source: "192.0.2.77")
    }

    private func end(of stream: LiveStream) async -> LiveStreamEnd? { await stream.ends.first { _ in true } }

    @Test func `logging out closes the sockets that its sessions opened`() async throws {
        let site = try await SignInSite.make()
        let (first, second) = (try await site.signIn(), try await site.signIn())
        let (one, other) = (try await open(site, first), try await open(site, second))
        #expect(one.principal == site.caller(first).principal)
        try await site.signIn.sessions.end(second.session.id, by: site.caller(first))
        #expect(await end(of: other) == .revoked)
        #expect(
            try await site.signIn.sessions.logOut(everywhere: true, by: site.caller(first))
                == .init(sessions: 1, isTokenRevoked: false))
        #expect(await end(of: one) == .revoked)
    }

    @Test func `a ticket is worth nothing once its session has ended`() async throws {
        let site = try await SignInSite.make()
        let signedIn = try await site.signIn()
        let tickets = TicketService(site.gateway.dependencies)
        let text = try await tickets.mint(for: .auditStream, by: site.caller(signedIn))
        try await site.signIn.sessions.end(signedIn.session.id, by: site.caller(signedIn))
        await #expect(throws: ControlError.ticketRefused) {
            _ = try await tickets.redeem(text.reveal(), at: .auditStream, listener: nil, source: "192.0.2.77")
        }
    }

    @Test func `the sweep closes the sockets of a session that nobody used`() async throws {
        let site = try await SignInSite.make()
        let stream = try await open(site, try await site.signIn())
        site.gateway.clock.advance(by: .seconds(12 * 3_600))
        try await site.signIn.sweep()
        #expect(await end(of: stream) == .revoked)
    }

    @Test func `nobody ends another user's session`() async throws {
        let site = try await SignInSite.make()
        let signedIn = try await site.signIn()
        let other = try await site.gateway.addUser("ada")
        let (_, session) = try await site.gateway.openSession(other)
        await #expect(throws: ControlError.sessionNotFound) {
            try await site.signIn.sessions.end(session.id, by: site.caller(signedIn))
        }
    }

    @Test func `a user has twenty sessions at most, the oldest goes`() async throws {
        let site = try await SignInSite.make()
        let first = try await site.signIn()
        site.gateway.clock.advance(by: .seconds(1))
        for _ in 1..<SessionService.limit { _ = try await site.gateway.openSession(site.user) }
        #expect(try await site.isLive(first))
        let last = try await site.signIn()
        #expect(try await !site.isLive(first))
        #expect(try await site.isLive(last))
    }

    @Test func `a page's token belongs to its session, and the cookie doesn't tell it`() async throws {
        let site = try await SignInSite.make()
        let (first, second) = (try await site.signIn(), try await site.signIn())
        #expect(site.signIn.sessions.isForgeryToken(first.forgeryToken, of: first.session.id))
        #expect(!site.signIn.sessions.isForgeryToken(second.forgeryToken, of: first.session.id))
        let other = try site.gateway.makeSignIn(keySeed: 8)
        #expect(other.sessions.forgeryToken(of: first.session.id) != first.forgeryToken)
    }

    @Test func `an outage of the store is no wrong password`() async throws {
        let site = try await SignInSite.make()
        site.gateway.database.failReads(.transient("gone"))
        await #expect(throws: StoreError.self) { try await site.signIn() }
        site.gateway.database.failReads(nil)
        site.gateway.database.failWrites(.full("disk"))
        await #expect(throws: StoreError.self) { try await site.signIn() }
    }
}
