import GateControl
import GateModel
import GateWire
import HTTPTypes
import Hummingbird

/// A machine's enrolment tokens and agent keys.
struct CredentialRoutes {
    let services: GateServices
    let root: String

    func add(to book: RouteBook) {
        let services = services
        let enrolments = "\(root)/machines/:agent_id/enrolments"
        book.scoped(.machinesWrite, .post, enrolments) { request, context in
            let name = try context.machineName()
            let body = try await request.decode(AddEnrolmentRequest.self)
            let (token, text) = try await services.enrolment.add(
                to: name,
                lifetime: try Field.seconds(
                    body.ttl, "ttl", EnrolmentService.lifetimes, default: EnrolmentService.defaultLifetime),
                allowFrom: try Field.blocks(body.allowFrom), by: context.caller)
            return JSONAnswer(
                .created, EnrolmentBody(token, text: text.reveal(), publicURL: services.gateway.body.publicURL))
        }
        book.scoped(.machinesWrite, .get, enrolments) { request, context in
            try request.requireKnownQuery([])
            return JSONAnswer(
                .ok,
                try await services.enrolment.list(of: context.machineName(), by: context.caller).map {
                    EnrolmentBody($0)
                })
        }
        book.scoped(.machinesWrite, .delete, "\(enrolments)/:id") { request, context in
            try request.requireKnownQuery([])
            try await services.enrolment.revoke(
                try context.id(
                    "id", of: EnrolmentToken.self, else: .enrolmentNotFound, "This machine has no such enrolment token."
                ),
                of: context.machineName(), by: context.caller)
            return HTTPResponse.Status.noContent
        }
        let keys = "\(root)/machines/:agent_id/keys"
        book.scoped(.machinesWrite, .post, keys) { request, context in
            let name = try context.machineName()
            let body = try await request.decodeIfPresent(AddAgentKeyRequest.self)
            let (key, text) = try await services.agentKeys.add(
                to: name, label: try Field.label(body?.label ?? "added", "label"),
                lifetime: try body?.ttl.map { try Field.seconds($0, "ttl", AgentKeyService.lifetimes, default: 0) },
                allowFrom: try Field.blocks(body?.allowFrom), by: context.caller)
            return JSONAnswer(.created, AgentKeyBody(key, text: text.reveal()))
        }
        book.scoped(.machinesWrite, .get, keys) { request, context in
            try request.requireKnownQuery([])
            return JSONAnswer(
                .ok,
                try await services.agentKeys.list(of: context.machineName(), by: context.caller).map {
                    AgentKeyBody($0)
                })
        }
        book.scoped(.machinesWrite, .delete, "\(keys)/:id") { request, context in
            try request.requireKnownQuery([])
            try await services.agentKeys.revoke(
                try context.id("id", of: AgentKey.self, else: .keyNotFound, "This machine has no such key."),
                of: context.machineName(), by: context.caller)
            return HTTPResponse.Status.noContent
        }
    }
}
