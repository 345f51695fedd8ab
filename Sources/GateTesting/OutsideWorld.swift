import GateControl
import GateModel
import GateStore
import Synchronization

/// A gateway with an OpenID provider and a team of Cloudflare Access, and time that the test moves.
package struct OutsideWorld: Sendable {
    package static let origin = "https://gate.example"
    package static let audience = "aud-tag"
    package static let team = "https://team.cloudflareaccess.com"

    package let gateway: TestGateway
    package let provider: TestProvider
    package let signIn: SignInServices
    private let time: SharedInstant

    private final class SharedInstant: Sendable {
        let now = Mutex(ContinuousClock.now)
    }

    package static func make(
        roles: [String: Role] = ["staff": .operator, "admins": .admin], standard: Role? = nil, secret: Bool = true,
        accessRole: Role? = nil
    ) async throws -> OutsideWorld {
        let gateway = try await TestGateway.make()
        let provider = try TestProvider(clock: gateway.clock)
        let time = SharedInstant()
        let settings = OutsideSettings(
            openID: try OpenIDSettings(
                issuer: TestProvider.issuer, clientID: TestProvider.client,
                clientSecret: secret ? Secret(TestProvider.secret) : nil,
                roles: RoleMapping(roles: roles, standard: standard)),
            cloudflareAccess: CloudflareAccessSettings(
                team: try OutboundURL(team), audience: audience, standardRole: accessRole))
        let signIn = try gateway.makeSignIn(
            outside: settings, outbound: provider, elapsed: { time.now.withLock { $0 } })
        return OutsideWorld(gateway: gateway, provider: provider, signIn: signIn, time: time)
    }

    private init(gateway: TestGateway, provider: TestProvider, signIn: SignInServices, time: SharedInstant) {
        self.gateway = gateway
        self.provider = provider
        self.signIn = signIn
        self.time = time
    }

    package func advance(by duration: Duration) {
        gateway.clock.advance(by: duration)
        time.now.withLock { $0 += duration }
    }

    package var openID: OpenIDSignIn {
        get throws {
            guard let openID = signIn.openID else { throw BadSample() }
            return openID
        }
    }

    /// A sign-in begun, and what its browser would come back with.
    package struct Begun: Sendable {
        package let cookie: String
        package let location: String
        package var state: String
        package var code: String
        package let query: [String: String]
    }

    package func begin(returnTo: String = "/") async throws -> Begun {
        guard let path = ReturnPath(rawValue: returnTo) else { throw BadSample() }
        let begun = try await openID.begin(origin: Self.origin, returnTo: path)
        let (code, query) = provider.authorize(begun.location)
        return Begun(
            cookie: begun.cookie.reveal(), location: begun.location, state: query["state"] ?? "", code: code,
            query: query)
    }

    package func complete(
        _ begun: Begun, cookie: String? = nil, issuer: String? = nil, error: String? = nil,
        source: String = "192.0.2.50"
    ) async throws -> OpenIDSignIn.Completed {
        try await openID.complete(
            OpenIDSignIn.Answer(state: begun.state, code: begun.code, issuer: issuer, error: error),
            cookie: cookie ?? begun.cookie, origin: Self.origin, source: source, client: .empty)
    }

    /// The whole way; throws where it ends without a session.
    @discardableResult
    package func enter(source: String = "192.0.2.50") async throws -> SignedIn {
        guard case .signedIn(let signedIn) = try await complete(begin(), source: source).outcome else {
            throw BadSample()
        }
        return signedIn
    }

    package func isLive(_ signedIn: SignedIn) async throws -> Bool {
        try await signIn.sessions.verify(cookie: signedIn.cookie.reveal(), source: "192.0.2.50") != nil
    }

    /// What the store has of that user.
    package func user(_ id: ID<User>) async throws -> User {
        guard let user = try await gateway.database.read({ tx in try tx.user(id) }) else { throw BadSample() }
        return user
    }

    /// Reasons of refusals so far, as they are written down.
    package func refusals() async throws -> [String] {
        let dependencies = gateway.dependencies
        try await dependencies.refusals.flush(
            to: gateway.database, identity: dependencies.identity, at: gateway.clock.now)
        return try await gateway.auditEvents().filter { $0.event.action == "login.failed" }
            .compactMap { row in
                guard case .members(let members)? = JSONTree(parsing: row.detailsJSON),
                    case .text(let reason)? = members.first(where: { $0.name == "reason" })?.value
                else { return nil }
                return reason
            }
    }

    /// What Access says of somebody when nothing is wrong with it.
    package func assertion(_ changes: TestClaims = [:], header: TestClaims = [:]) throws -> String {
        let now = gateway.clock.now.wholeSeconds
        let usual: TestClaims = [
            "iss": .text(Self.team), "aud": .list([Self.audience]), "sub": .text("access-1"),
            "email": .text("grace@example.org"), "type": .text("app"), "iat": .number(now),
            "exp": .number(now + 86_400),
        ]
        return try provider.token(usual.merging(changes) { $1 }, header: header)
    }

    package func enterByAccess(_ assertion: String?) async throws -> SignedIn {
        guard
            case .signedIn(let signedIn)? = try await signIn.cloudflareAccess?.signIn(
                assertion: assertion, source: "192.0.2.50", client: .empty)
        else { throw BadSample() }
        return signedIn
    }
}
