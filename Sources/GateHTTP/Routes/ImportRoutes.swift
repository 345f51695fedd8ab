import GateControl
import GateModel
import GateSSH
import GateWire
import HTTPTypes
import Hummingbird

/// Bringing over what another gateway knew.
struct ImportRoutes {
    /// About 400 bytes an agent, for as many as there are ports.
    static let bodyLimit = 32 << 20

    let services: GateServices
    let root: String

    func add(to book: RouteBook) {
        let services = services
        book.scoped([.machinesWrite, .accessWrite], .post, "\(root)/imports/ssh-tunnel-gateway") { request, context in
            let body = try await request.decode(ImportAgentsRequest.self, limit: Self.bodyLimit)
            guard body.agents.count <= SharedKeyImport.limit else {
                throw Field.invalid("agents", "at most \(SharedKeyImport.limit) agents")
            }
            let entries = try body.agents.enumerated().map { index, agent in
                let place = "agents[\(index)]"
                guard (1...65_535).contains(agent.port) else { throw Field.invalid("\(place).port", "1 to 65535") }
                return SharedKeyImport.Entry(
                    agentID: try Field.name(agent.agentID, "\(place).agent_id"), port: agent.port,
                    publicKey: try Field.importedKey(agent.publicKey, "\(place).public_key"),
                    lastSeen: agent.lastSeenAt,
                    leaseUntil: agent.leaseExpiresAt)
            }
            let isTrial = body.dryRun ?? false
            let report = try await services.sharedKeyImport.run(entries, isTrial: isTrial, by: context.caller)
            return JSONAnswer(
                .ok,
                ImportedAgentsBody(
                    dryRun: isTrial, imported: report.imported, unchanged: report.unchanged, expired: report.expired,
                    rsaKeys: report.rsaKeys))
        }
    }
}
