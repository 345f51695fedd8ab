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

/// Who sends a request.
enum Sender: String, CaseIterable, Sendable {
    case nobody, malformed, unknown, revoked, enrolmentToken, agentKey, administrator
}

/// The whole API over a real store, with one credential of each kind, one enrolled and registered machine `web`, and one
/// of everything that a path may name.
struct TestAPI: Sendable {
    let gateway: TestGateway
    let api: GatewayAPI
    let setup: SetupService
    let web: TestGateway.Enrolled
    let bearers: [Sender: String]
    /// What stands for `:id` on each kind of path.
    let ids: [String: String]

    static func make() async throws -> TestAPI {
        let gateway = try await TestGateway.make()
        let dependencies = gateway.dependencies
        let setup = SetupService(dependencies)
        let (tokens, agentKeys) = (TokenService(dependencies), AgentKeyService(dependencies))
        let (enrolment, tunnelKeys) = (EnrolmentService(dependencies), TunnelKeyService(dependencies))
        let registration = RegistrationService(dependencies, leaseLifetime: .seconds(120))
        let administrator = try await gateway.administratorToken()
        let revoked = try await tokens.add(label: label("revoked"), lifetime: .seconds(900), by: gateway.admin)
        try await tokens.revoke(revoked.token.id, by: gateway.admin)
        let spareToken = try await tokens.add(label: label("spare"), lifetime: .seconds(900), by: gateway.admin)
        let web = try await gateway.enrol("web", controlKey: 1)
        _ = try await registration.register(gateway.report(key: 2), by: web.caller)
        let (_, enrolmentText) = try await gateway.add("unenrolled")
        let spareEnrolment = try await enrolment.add(to: "web", lifetime: .seconds(900), by: gateway.admin)
        let spareKey = try await agentKeys.add(to: "web", by: gateway.admin)
        let jump = try await tunnelKeys.add(
            SampleKeys.publicKey(3), machines: ["web"], label: label("laptop"), login: .seconds(600),
            connection: .seconds(600), by: gateway.admin)
        let facts = GatewayFacts(
            body: GatewayBody(
                id: dependencies.identity.gateway.text, version: "0.1.0", publicURL: "https://gate.example",
                sshHost: "gate.example", sshPort: 22, sshUser: "tidegate", sshHostKeys: [],
                apiAddress: "127.0.0.1:12000"),
            heartbeatSeconds: 30)
        let services = GateServices(
            machines: MachineService(dependencies), enrolment: enrolment, agentKeys: agentKeys,
            registration: registration, tunnelKeys: tunnelKeys, tokens: tokens, setup: setup,
            audit: AuditService(dependencies), sharedKeyImport: SharedKeyImport(dependencies), keys: dependencies.keys,
            gateway: facts,
            readiness: { Readiness(faults: []) }, gauges: { [("tidegate_machines", "Machines.", 1)] },
            registered: { _, _, _ in })
        return TestAPI(
            gateway: gateway,
            api: GatewayAPI(services: services, sources: SourceAddress(trusted: []), metrics: HTTPMetrics()),
            setup: setup, web: web,
            bearers: [
                .malformed: "tgp_not-a-token", .unknown: "tgp_" + String(repeating: "A", count: 43),
                .revoked: revoked.text.reveal(), .enrolmentToken: enrolmentText, .agentKey: web.key,
                .administrator: administrator,
            ],
            ids: [
                "tokens": spareToken.token.id.text, "enrolments": spareEnrolment.token.id.text,
                "keys": spareKey.key.id.text, "tunnel-keys": jump.key.key.id.text,
            ])
    }

    var mode: AuthenticationMode { .bearer(Authentication(gateway.dependencies)) }

    var entries: [RouteBook.Entry] { api.routes(mode) }

    /// The path with names in the place of its parameters.
    func path(_ pattern: String) -> String {
        var parts = pattern.split(separator: "/").map(String.init)
        for index in parts.indices {
            if parts[index] == ":agent_id" { parts[index] = "web" }
            if parts[index] == ":id" { parts[index] = ids[parts[index - 1]] ?? "missing" }
        }
        return "/" + parts.joined(separator: "/")
    }

    func withClient<Value>(
        _ mode: AuthenticationMode? = nil, _ run: @Sendable @escaping (any TestClientProtocol) async throws -> Value
    ) async throws -> Value {
        let application = Application(
            router: api.router(mode ?? self.mode), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        return try await application.test(.router) { try await run($0) }
    }

    /// Headers of a request by `sender`, with a JSON body or without.
    func headers(_ sender: Sender, json: Bool = false) -> HTTPFields {
        var headers = HTTPFields()
        if let bearer = bearers[sender] { headers[.authorization] = "Bearer \(bearer)" }
        if json { headers[.contentType] = "application/json" }
        return headers
    }
}

private func label(_ text: String) throws -> Label {
    guard let label = Label(rawValue: text) else { throw BadSample() }
    return label
}
