import GateControl
import GateModel
import GateWire
import HTTPTypes
import Hummingbird

/// What agents call: enrol with a token, then register and heartbeat with the key it bought.
struct AgentRoutes {
    let services: GateServices
    let root: String

    func add(to book: RouteBook) {
        let services = services
        book.open(.post, "\(root)/agent/enrol", access: .enrolmentToken) { request, context in
            guard let bearer = try request.bearer(), CredentialKind(shapeOf: bearer) == .enrolmentToken else {
                throw Problem(.unauthenticated, "An enrolment token (tge_…) is required here.")
            }
            let body = try await request.decode(EnrolRequest.self)
            let (machine, _, text) = try await services.enrolment.enrol(
                bearer: bearer, publicKey: try Field.publicKey(body.publicKey),
                agentID: try Field.optionalName(body.agentID, "agent_id"), source: context.source)
            return JSONAnswer(
                .created,
                EnrolledBody(
                    agentID: machine.agentID.rawValue, machineID: machine.id.text, name: machine.name.rawValue,
                    agentKey: text.reveal(), gateway: services.gateway.body))
        }
        book.machine(.post, "\(root)/agent/register") { request, context in
            let body = try await request.decode(RegisterRequest.self)
            let report = RegistrationService.Report(
                publicKey: try Field.publicKey(body.publicKey), hostKeys: try Field.hostKeys(body.hostKeys),
                operatingSystem: try Field.label(body.operatingSystem, "os"),
                agentVersion: try Field.label(body.agentVersion, "agent_version"))
            let (machine, lease) = try await services.registration.register(report, by: context.caller)
            services.registered(machine, lease, context.caller.source)
            return JSONAnswer(.ok, RegisteredBody(machine: machine, lease: lease, gateway: services.gateway))
        }
        book.machine(.post, "\(root)/agent/heartbeat") { request, context in
            let body = try await request.decode(HeartbeatRequest.self)
            let until = try await services.registration.heartbeat(generation: body.generation, by: context.caller)
            return JSONAnswer(.ok, HeartbeatBody(status: "ok", leaseExpiresAt: until))
        }
    }
}
