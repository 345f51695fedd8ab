import GateCompatibility
import GateControl
import GateHTTP
import GateModel
import GatePanel
import GateSSH
import GateStore
import GateTesting
import GateWire
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore

/// Who sends a request.
enum Sender: String, CaseIterable, Sendable {
    case nobody, malformed, unknown, revoked, expired, disabled, elsewhere, enrolmentToken, agentKey, administrator
    /// With a grant on `web` each.
    case `operator`, viewer
    /// An administrator's token for `machines:read` alone.
    case narrow
    /// The administrator of another tenant.
    case otherTenant
    /// A service user that may look up keys and do nothing else.
    case tunnelHost
    /// A node of `operator`, by the Fleet's word the machine `web`, which has a key of its own.
    case node
    /// Secrets of the gateway's environment.
    case drainSecret, agentAPIKey
    /// The administrator, by the cookie of a session.
    case browser

    var scopes: Scopes {
        switch self {
        case .administrator, .otherTenant: Role.admin.scopes
        case .operator: Role.operator.scopes
        case .viewer: Role.viewer.scopes
        case .narrow: .machinesRead
        case .tunnelHost: Role.tunnelHost.scopes
        case .node: .node
        case .drainSecret: .drain
        default: []
        }
    }
}

/// The whole API over a real store, with one credential of each kind, one enrolled and registered machine `web`, and one
/// of everything that a path may name.
struct TestAPI: Sendable {
    let gateway: TestGateway
    let api: GatewayAPI
    let setup: SetupService
    let web: TestGateway.Enrolled
    let bearers: [Sender: String]
    private let others: [any TokenProvider]
    /// What stands for `:id` on each kind of path.
    let ids: [String: String]
    let signIn: SignInServices
    let administrator: User
    let cookie: String
    let session: Session

    static func make(
        limits rules: RequestLimits.Rules = .ample, origin: String = "https://gate.example",
        ways: @escaping @Sendable (ReturnPath) -> [OutsideWay] = { _ in [] }
    ) async throws -> TestAPI {
        let gateway = try await TestGateway.make()
        let dependencies = gateway.dependencies
        let setup = SetupService(dependencies)
        let (tokens, agentKeys) = (TokenService(dependencies), AgentKeyService(dependencies))
        let (enrolment, tunnelKeys) = (EnrolmentService(dependencies), TunnelKeyService(dependencies))
        let registration = RegistrationService(dependencies, leaseLifetime: .seconds(120))
        let administrator = try await gateway.administratorToken()
        let (users, grants) = (UserService(dependencies), GrantService(dependencies))
        let tenants = TenantService(dependencies)
        let expired = try await tokens.add(wish("expired", .seconds(60)), by: gateway.admin)
        gateway.clock.advance(by: .seconds(60))
        let revoked = try await tokens.add(wish("revoked"), by: gateway.admin)
        try await tokens.revoke(revoked.token.id, by: gateway.admin)
        let spareToken = try await tokens.add(wish("spare"), by: gateway.admin)
        let narrow = try await tokens.add(wish("narrow", scopes: .machinesRead), by: gateway.admin)
        let elsewhere = try await tokens.add(wish("elsewhere", from: ["198.51.100.0/24"]), by: gateway.admin)
        var bearers: [Sender: String] = [:]
        for (sender, role) in [
            (Sender.operator, Role.operator), (.viewer, .viewer), (.tunnelHost, .tunnelHost), (.disabled, .viewer),
        ] {
            let user = try userName(sender.rawValue.lowercased())
            _ = try await users.add(
                name: user, kind: role.isForServicesOnly ? .service : .person, role: role, allowFrom: [],
                by: gateway.admin)
            bearers[sender] = try await tokens.add(wish("own", owner: user), by: gateway.admin).text.reveal()
        }
        _ = try await users.patch(userName("disabled"), .init(isDisabled: true), by: gateway.admin)
        let north = try await tenants.add(
            name: userName("north"), administrator: userName("ada"), by: gateway.admin)
        let web = try await gateway.enrol("web", controlKey: 1)
        _ = try await registration.register(gateway.report(key: 2), by: web.caller)
        let (_, enrolmentText) = try await gateway.add("unenrolled")
        let spareEnrolment = try await enrolment.add(to: "web", lifetime: .seconds(900), by: gateway.admin)
        let spareKey = try await agentKeys.add(to: "web", label: label("spare"), by: gateway.admin)
        var grantIDs: [String] = []
        for name in ["operator", "viewer", "viewer"] {
            grantIDs.append(
                try await grants.add(
                    to: .user(userName(name)), on: .machine("web"), modes: [.ssh, .view], logins: [], lifetime: nil,
                    by: gateway.admin
                ).grant.id.text)
        }
        let jump = try await tunnelKeys.add(
            SampleKeys.publicKey(3), machines: ["web"], label: label("laptop"), login: .seconds(600),
            connection: .seconds(600), by: gateway.admin)
        let memory = NodeTokenMemory()
        let owner = try await users.show(userName("operator"), by: gateway.admin)
        let fleet = FleetNodes(
            dependencies, fleet: try OutboundURL("https://fleet.example"), outbound: FleetStandIn(owner: owner.id),
            memory: memory, logger: dependencies.logger)
        let (drain, agentKey) = (MintedCredential(.adminSecret), MintedCredential(.adminSecret))
        let (drainSecret, agentAPIKey) = (drain.text.reveal().dropFirst(4), agentKey.text.reveal().dropFirst(4))
        let secrets = EnvironmentSecrets(
            [
                try .init(.drain, Secret(String(drainSecret))), try .init(.agent, Secret(String(agentAPIKey))),
            ], tenant: dependencies.identity.tenant)
        let signIn = try gateway.makeSignIn()
        // Not by the token: what a test does first with it shall be the first.
        let tenant = dependencies.identity.tenant
        guard
            let user = try await gateway.database.read({ tx in
                try tx.user(named: SetupService.administratorName, in: tenant)
            })
        else { throw BadSample() }
        let (cookie, session) = try await gateway.openSession(user)
        let (_, spareSession) = try await gateway.openSession(user)
        let identity = try await users.link(
            userName("operator"), issuer: outside("https://id.example"), subject: outside("spare"), by: gateway.admin)
        let facts = GatewayFacts(
            body: GatewayBody(
                id: dependencies.identity.gateway.text, version: "0.1.0", publicURL: "https://gate.example",
                sshHost: "gate.example", sshPort: 22, sshUser: "tidegate", sshHostKeys: [],
                apiAddress: "127.0.0.1:12000"),
            heartbeatSeconds: 30)
        let proxies = ProxyService(
            dependencies, policy: ProxyPolicy(allowsLoopback: false, leasePorts: 20_000...20_099),
            own: OwnSSHD(host: "gate.example", port: 22, login: "tidegate", hostKey: try SampleKeys.hostKey(1).line),
            scan: { _ in [try SampleKeys.hostKey(2)] })
        let forwardKeys = ForwardKeyService(dependencies, proxies: proxies)
        let proxy = try await proxies.add(
            proxyName("own"), ProxyWish(place: nil, target: SSHTarget(host: "10.0.0.5", port: 8080)), by: gateway.admin)
        let other = try await proxies.add(
            proxyName("elsewhere"),
            ProxyWish(
                place: (
                    SSHTarget(host: "jump.example", port: 22), loginName("tidegate"), .given(SampleKeys.hostKey(3))
                ),
                target: SSHTarget(host: "10.0.0.6", port: 8080)), by: gateway.admin)
        let services = GateServices(
            machines: MachineService(dependencies), enrolment: enrolment, agentKeys: agentKeys,
            registration: registration, agents: AgentAdmission(dependencies), tunnelKeys: tunnelKeys,
            proxies: proxies, forwardKeys: forwardKeys, tokens: tokens,
            nodeTokens: NodeTokenService(dependencies, memory: memory), users: users,
            grants: grants, tenants: tenants, setup: setup,
            audit: AuditService(dependencies), following: AuditFollowing(dependencies, tail: AuditTail()),
            tickets: TicketService(dependencies), sharedKeyImport: SharedKeyImport(dependencies),
            signIn: signIn, browser: BrowserOrigin(url: origin),
            limits: RequestLimits(rules, refusals: dependencies.refusals), keys: dependencies.keys, gateway: facts,
            readiness: { Readiness(faults: []) },
            gauges: {
                [
                    ("tidegate_machines", "Machines.", 1), (#"tidegate_calls_total{to="a"}"#, "Calls.", 1),
                    (#"tidegate_calls_total{to="b"}"#, "Calls.", 2),
                ]
            },
            registered: { _, _, _ in })
        let clock = gateway.clock
        let panel = try Panel(signIn: signIn, browser: services.browser, now: { clock.now }, ways: ways)
        return TestAPI(
            gateway: gateway,
            api: GatewayAPI(
                services: services, sources: SourceAddress(trusted: []), metrics: HTTPMetrics(),
                dialects: [
                    { book in panel.add(to: book) },
                    { book in
                        ArgusTunnelRoutes(keys: forwardKeys, proxies: proxies, owned: tunnelKeys).add(to: book)
                        ArgusAdminRoutes(proxies: proxies, keys: tunnelKeys).add(to: book)
                    },
                ]),
            setup: setup, web: web,
            bearers: bearers.merging([
                .expired: expired.text.reveal(), .elsewhere: elsewhere.text.reveal(), .narrow: narrow.text.reveal(),
                .otherTenant: north.text.reveal(), .malformed: "tgp_not-a-token",
                .unknown: "tgp_" + String(repeating: "A", count: 43),
                .revoked: revoked.text.reveal(), .enrolmentToken: enrolmentText, .agentKey: web.key,
                .administrator: administrator, .node: "mcn_" + String(repeating: "n", count: 40),
                .drainSecret: String(drainSecret), .agentAPIKey: String(agentAPIKey),
            ]) { $1 },
            others: [fleet, secrets],
            ids: [
                "tokens": spareToken.token.id.text, "enrolments": spareEnrolment.token.id.text,
                "keys": spareKey.key.id.text, "tunnel-keys": jump.key.key.id.text,
                "grants": grantIDs[2], "sessions": spareSession.id.text, "identities": identity.id.text,
                "proxies": other.proxy.id.text, "config": proxy.proxy.id.text,
            ],
            signIn: signIn, administrator: user, cookie: cookie, session: session)
    }

    var mode: AuthenticationMode { .bearer(Authentication(gateway.dependencies, others: others)) }

    var entries: [RouteBook.Entry] { api.routes(mode) }

    /// The path with names in the place of its parameters.
    func path(_ pattern: String, query: String = "") -> String {
        var parts = pattern.split(separator: "/").map(String.init)
        for index in parts.indices {
            if parts[index] == ":agent_id" { parts[index] = "web" }
            if parts[index] == ":name" { parts[index] = "operator" }
            if parts[index] == ":proxy" { parts[index] = ids["proxies"] ?? "missing" }
            if parts[index] == ":id" { parts[index] = ids[parts[index - 1]] ?? "missing" }
        }
        let queries = [
            pattern.hasSuffix("/access/check") ? "machine=web" : "",
            pattern.hasSuffix("/forward-keys/lines") ? "fingerprint=SHA256:\(String(repeating: "A", count: 43))" : "",
            query,
        ].filter { !$0.isEmpty }
        return "/" + parts.joined(separator: "/") + (queries.isEmpty ? "" : "?" + queries.joined(separator: "&"))
    }

    func withClient<Value>(
        _ mode: AuthenticationMode? = nil, _ run: @Sendable @escaping (any TestClientProtocol) async throws -> Value
    ) async throws -> Value {
        let application = Application(
            router: api.router(mode ?? self.mode), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        return try await application.test(.router) { try await run($0) }
    }

    /// Headers of a request by `sender`, with a JSON body or without.
    func headers(_ sender: Sender, _ good: GoodRequest?) -> HTTPFields {
        guard let good, good.isForm else { return headers(sender, json: good != nil) }
        var headers = headers(sender)
        headers[.contentType] = "application/x-www-form-urlencoded"
        headers[.origin] = "https://gate.example"
        return headers
    }

    func headers(_ sender: Sender, json: Bool = false) -> HTTPFields {
        var headers = HTTPFields()
        if let bearer = bearers[sender] { headers[.authorization] = "Bearer \(bearer)" }
        if sender == .browser {
            headers[.cookie] = "__Host-tidegate=\(cookie)"
            headers[HTTPField.Name("X-CSRF-Token") ?? .date] = signIn.sessions.forgeryToken(of: session.id)
        }
        if json { headers[.contentType] = "application/json" }
        return headers
    }
}

/// Vouches for every token, as one of that user's node `web`.
private struct FleetStandIn: OutboundSender {
    let owner: ID<User>

    func send(_ request: OutboundRequest) async throws(OutboundError) -> OutboundResponse {
        OutboundResponse(
            status: 200, body: Array(#"{"valid":true,"owner_id":"\#(owner)","instance_id":"web"}"#.utf8))
    }
}

private func wish(
    _ text: String, _ lifetime: Duration = .seconds(900), owner: UserName? = nil, scopes: Scopes? = nil,
    from blocks: [String] = []
) throws -> TokenService.Wish {
    TokenService.Wish(
        label: try label(text), lifetime: lifetime, owner: owner, scopes: scopes,
        allowFrom: blocks.compactMap { AddressBlock($0) })
}

private func userName(_ text: String) throws -> UserName {
    guard let name = UserName(rawValue: text) else { throw BadSample() }
    return name
}

private func outside<Name: CheckedName>(_ text: String) throws -> Name {
    guard let name = Name(rawValue: text) else { throw BadSample() }
    return name
}

private func proxyName(_ text: String) throws -> ProxyName {
    guard let name = ProxyName(rawValue: text) else { throw BadSample() }
    return name
}

private func loginName(_ text: String) throws -> LoginName {
    guard let name = LoginName(rawValue: text) else { throw BadSample() }
    return name
}

private func label(_ text: String) throws -> Label {
    guard let label = Label(rawValue: text) else { throw BadSample() }
    return label
}
