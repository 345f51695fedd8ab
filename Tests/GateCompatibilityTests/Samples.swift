import GateCompatibility
import GateControl
import GateHTTP
import GateModel
import GateTesting
import GateWire
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore

/// The API with the dialect over a real store, and two shared keys.
struct DialectAPI: Sendable {
    static let keys = ["first-shared-key", "second-shared-key"]

    /// Stretching keys is slow on purpose: once for all tests.
    private static let ring = Result { try freshRing() }

    static func freshRing() throws -> SharedKeyRing {
        try SharedKeyRing(keys: keys.map { Secret($0) }, stableSalt: "tests")
    }

    let gateway: TestGateway
    let api: GatewayAPI

    static func make(sshPort: Int = 2_222, ring: SharedKeyRing? = nil) async throws -> DialectAPI {
        let gateway = try await TestGateway.make()
        let dependencies = gateway.dependencies
        let facts = GatewayFacts(
            body: GatewayBody(
                id: dependencies.identity.gateway.text, version: "0.1.0", publicURL: "https://gate.example",
                sshHost: "gate.example", sshPort: sshPort, sshUser: "tidegate", sshHostKeys: [], apiAddress: nil),
            heartbeatSeconds: 30)
        let proxies = ProxyService(
            dependencies, policy: ProxyPolicy(allowsLoopback: false, leasePorts: 20_000...20_099), own: nil,
            scan: { _ in [] })
        let services = GateServices(
            machines: MachineService(dependencies), enrolment: EnrolmentService(dependencies),
            agentKeys: AgentKeyService(dependencies),
            registration: RegistrationService(dependencies, leaseLifetime: .seconds(120)),
            agents: AgentAdmission(dependencies), tunnelKeys: TunnelKeyService(dependencies),
            proxies: proxies, forwardKeys: ForwardKeyService(dependencies, proxies: proxies),
            tokens: TokenService(dependencies),
            nodeTokens: NodeTokenService(dependencies, memory: NodeTokenMemory()),
            users: UserService(dependencies), grants: GrantService(dependencies), tenants: TenantService(dependencies),
            setup: SetupService(dependencies), audit: AuditService(dependencies),
            following: AuditFollowing(dependencies, tail: AuditTail()), tickets: TicketService(dependencies),
            sharedKeyImport: SharedKeyImport(dependencies), signIn: try gateway.makeSignIn(),
            browser: BrowserOrigin(url: "https://gate.example"),
            limits: RequestLimits(.ample, refusals: dependencies.refusals), keys: dependencies.keys, gateway: facts,
            readiness: { Readiness(faults: []) }, gauges: { [] }, registered: { _, _, _ in })
        let dialect = SSHTunnelGatewayDialect(
            service: SharedKeyService(dependencies, leaseLifetime: .seconds(120)),
            keys: try ring ?? self.ring.get(), header: try dialectHeader(),
            coordinates: .init(sshUser: "tidegate", sshHost: "gate.example", sshPort: sshPort),
            refusals: dependencies.refusals, registered: { _, _, _ in })
        return DialectAPI(
            gateway: gateway,
            api: GatewayAPI(
                services: services, sources: SourceAddress(trusted: []), metrics: HTTPMetrics(),
                dialects: [{ book in dialect.add(to: book) }]))
    }

    private static func dialectHeader() throws -> APIKeyHeader {
        guard let header = APIKeyHeader("X-API-Key") else { throw BadSample() }
        return header
    }

    static func header() throws -> HTTPField.Name {
        guard let name = HTTPField.Name("X-API-Key") else { throw BadSample() }
        return name
    }

    var mode: AuthenticationMode { .bearer(Authentication(gateway.dependencies)) }

    /// One request to `/`.
    func ask(
        _ body: String, key: String? = keys[0], method: HTTPRequest.Method = .post,
        contentType: String? = "application/json"
    ) async throws -> TestResponse {
        var headers = HTTPFields()
        if let key { headers[try Self.header()] = key }
        headers[.contentType] = contentType
        let application = Application(
            router: api.router(mode), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        return try await application.test(.router) { [headers] client in
            try await client.execute(uri: "/", method: method, headers: headers, body: ByteBuffer(string: body))
        }
    }
}
