import GateControl
import GateModel
import GateStore
import GateWire
import HTTPTypes
import Hummingbird

/// Machines: add, list, show, change, remove.
struct MachineRoutes {
    let services: GateServices
    let root: String

    func add(to book: RouteBook) {
        let services = services
        book.scoped(.machinesWrite, .post, "\(root)/machines") { request, context in
            let body = try await request.decode(AddMachineRequest.self)
            let (machine, enrolment, text) = try await services.machines.add(
                name: try Field.name(body.name, "name"), agentID: try Field.optionalName(body.agentID, "agent_id"),
                organization: try Field.label(body.organization, "organization"),
                site: try Field.label(body.site, "site"), tags: try Field.tags(body.tags),
                enrolmentLifetime: try Field.seconds(
                    body.enrolmentTTL, "enrolment_ttl", EnrolmentService.lifetimes,
                    default: EnrolmentService.defaultLifetime),
                by: context.caller)
            return JSONAnswer(
                .created,
                AddedMachineBody(
                    machine: MachineBody(machine),
                    enrolment: EnrolmentBody(
                        enrolment, text: text.reveal(), publicURL: services.gateway.body.publicURL)))
        }
        book.scoped(.machinesRead, .get, "\(root)/machines") { request, context in
            try request.requireKnownQuery(["name", "organization", "site", "tag", "after", "limit"])
            let query = request.uri.queryParameters
            let page = try Page<Machine>(request)
            let filter = MachineFilter(
                name: query["name"].map(String.init), organization: query["organization"].map(String.init),
                site: query["site"].map(String.init), tag: query["tag"].map(String.init),
                after: page.after.map { (createdAt: $0.at, id: $0.id) }, limit: page.limit)
            let machines = try await services.machines.list(filter, by: context.caller)
            return JSONAnswer(
                .ok, machines.map { MachineBody($0) },
                link: page.link(
                    request, count: machines.count, last: machines.last.map { ($0.machine.createdAt, $0.machine.id) }))
        }
        book.scoped(.machinesRead, .get, "\(root)/machines/:agent_id") { request, context in
            try request.requireKnownQuery([])
            return JSONAnswer(
                .ok, MachineBody(try await services.machines.show(context.machineName(), by: context.caller)))
        }
        book.scoped(.machinesWrite, .patch, "\(root)/machines/:agent_id") { request, context in
            let name = try context.machineName()
            let body = try await request.decode(PatchMachineRequest.self)
            let patch = MachineService.Patch(
                name: try Field.optionalName(body.name, "name"),
                organization: try body.organization.map { try Field.label($0, "organization") },
                site: try body.site.map { try Field.label($0, "site") },
                tags: try body.tags.map { try Field.tags($0) })
            return JSONAnswer(.ok, MachineBody(try await services.machines.patch(name, patch, by: context.caller)))
        }
        book.scoped(.machinesWrite, .delete, "\(root)/machines/:agent_id") { request, context in
            try request.requireKnownQuery([])
            try await services.machines.remove(context.machineName(), by: context.caller)
            return HTTPResponse.Status.noContent
        }
    }
}
