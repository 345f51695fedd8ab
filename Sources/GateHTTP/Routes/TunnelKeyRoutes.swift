import GateControl
import GateModel
import GateWire
import HTTPTypes
import Hummingbird

/// People's keys for the jump.
struct TunnelKeyRoutes {
    let services: GateServices
    let root: String

    func add(to book: RouteBook) {
        let services = services
        book.scoped(.keys, .post, "\(root)/tunnel-keys") { request, context in
            let body = try await request.decode(AddTunnelKeyRequest.self)
            guard (1...TunnelKeyService.maximumMachines).contains(body.machines.count) else {
                throw Field.invalid("machines", "1 to \(TunnelKeyService.maximumMachines) machines")
            }
            let login = try Field.seconds(
                body.ttl, "ttl", TunnelKeyService.loginLifetimes, default: TunnelKeyService.defaultLogin)
            let connection = try Field.seconds(
                body.connectionTTL, "connection_ttl", TunnelKeyService.loginLifetimes,
                default: Int(login.components.seconds))
            guard connection >= login else { throw Field.invalid("connection_ttl", "at least ttl") }
            for machine in body.machines where AgentID(rawValue: machine) == nil {
                throw Field.invalid("machines", AgentID.rule)
            }
            let (key, isNew) = try await services.tunnelKeys.add(
                try Field.publicKey(body.publicKey), machines: body.machines,
                label: try Field.label(body.label, "label"),
                login: login, connection: connection, by: context.caller)
            return JSONAnswer(isNew ? .created : .ok, TunnelKeyBody(key))
        }
        book.scoped(.keys, .get, "\(root)/tunnel-keys") { request, context in
            try request.requireKnownQuery(["purpose", "machine", "after", "limit"])
            let page = try Page<TunnelKey>(request)
            var purpose: TunnelKey.Purpose?
            if let text = request.uri.queryParameters["purpose"] {
                purpose = TunnelKey.Purpose(rawValue: String(text))
                guard purpose != nil else { throw Field.invalid("purpose", "reverse, jump, control or forward") }
            }
            let keys = try await services.tunnelKeys.list(
                purpose: purpose, machine: request.uri.queryParameters["machine"].map(String.init),
                after: page.after.map { (createdAt: $0.at, id: $0.id) }, limit: page.limit, by: context.caller)
            return JSONAnswer(
                .ok, keys.map { TunnelKeyBody($0) },
                link: page.link(request, count: keys.count, last: keys.last.map { ($0.key.createdAt, $0.key.id) }))
        }
        book.scoped(.keys, .get, "\(root)/tunnel-keys/:id") { request, context in
            try request.requireKnownQuery([])
            return JSONAnswer(
                .ok, TunnelKeyBody(try await services.tunnelKeys.show(context.tunnelKey(), by: context.caller)))
        }
        book.scoped(.keys, .delete, "\(root)/tunnel-keys/:id") { request, context in
            try request.requireKnownQuery([])
            try await services.tunnelKeys.revoke(context.tunnelKey(), by: context.caller)
            return HTTPResponse.Status.noContent
        }
    }
}

extension PrincipalContext {
    fileprivate func tunnelKey() throws -> ID<TunnelKey> {
        try id("id", of: TunnelKey.self, else: .tunnelKeyNotFound, "No such tunnel key.")
    }
}
