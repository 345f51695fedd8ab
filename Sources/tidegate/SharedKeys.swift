import GateCompatibility
import GateControl
import GateHTTP
import GateModel
import GateProcess
import GateWire
import Glibc
import Logging

/// The settings of the ssh-tunnel-gateway dialect: without keys there is no dialect.
struct SharedKeySettings: Sendable {
    static let variables = ["API_KEY", "API_KEYS"]
    static let headerVariable = "API_KEY_HEADER"

    let keys: [Secret<String>]
    let header: APIKeyHeader

    /// The file's keys, one a line or separated by commas, else those of the environment. Nil: none are given.
    static func resolve(file: String?, environment: [String: String]) throws -> SharedKeySettings? {
        let texts: [String]
        if let file {
            guard let text = try? String(contentsOf: file) else {
                throw StartFault("api-keys-file: \(file) can't be read")
            }
            texts = words(text)
            guard !texts.isEmpty else { throw StartFault("api-keys-file: there is no key in \(file)") }
        } else {
            texts = variables.flatMap { words(environment[$0] ?? "") }
        }
        guard !texts.isEmpty else { return nil }
        let name = environment[headerVariable] ?? ""
        guard let header = APIKeyHeader(name.isEmpty ? "X-API-Key" : name) else {
            throw StartFault("API_KEY_HEADER must be the name of a header of its own, like X-API-Key")
        }
        return SharedKeySettings(keys: texts.map { Secret($0) }, header: header)
    }

    private static func words(_ text: String) -> [String] {
        text.split { $0 == "," || $0.isNewline }
            .map { word in
                let start = word.drop { $0 == " " || $0 == "\t" }
                return String(start.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
            }
            .filter { !$0.isEmpty }
    }

    /// Once read, the keys needn't stand where every child would inherit them, nor where /proc shows them.
    static func forget() {
        for variable in variables { _ = SecretEnvironment.take(variable) }
    }

    /// The dialect, ready to answer; slow, because each key is stretched.
    func dialect(
        _ dependencies: ControlDependencies, facts: GatewayFacts, leaseLifetime: Duration, logger: Logger
    ) throws -> SSHTunnelGatewayDialect {
        let ring: SharedKeyRing
        do { ring = try SharedKeyRing(keys: keys, stableSalt: dependencies.identity.tenant.text) } catch {
            throw StartFault("API_KEY, API_KEYS or api-keys-file: \(error)")
        }
        logger.warning(
            "ssh-tunnel-gateway agents are let in by shared keys",
            metadata: [
                "gate.keys": "\(ring.count)",
                "gate.lacks":
                    "whoever holds such a key can take the place of any agent registered with it; each time from another address is audited as machine.taken-over",
            ])
        return SSHTunnelGatewayDialect(
            service: SharedKeyService(dependencies, leaseLifetime: leaseLifetime), keys: ring, header: header,
            coordinates: .init(sshUser: facts.body.sshUser, sshHost: facts.body.sshHost, sshPort: facts.body.sshPort),
            refusals: dependencies.refusals,
            registered: { agentID, port, source in
                logger.info(
                    "registered",
                    metadata: ["gate.agent.id": "\(agentID)", "gate.source": "\(source)", "gate.port": "\(port)"])
            })
    }
}
