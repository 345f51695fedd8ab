import GateControl
import GateModel
import GateWire
import HTTPTypes
import Hummingbird

/// Set-up, who am I, the gateway's coordinates and live connections.
struct AccessRoutes {
    let services: GateServices
    let root: String

    func add(to book: RouteBook) {
        let services = services
        book.open(.post, "\(root)/setup", access: .setupSecret) { request, context in
            let body = try await request.decode(SetupRequest.self)
            let (token, text) = try await services.setup.redeem(body.secret, source: context.source)
            return JSONAnswer(.created, TokenBody(token, text: text.reveal()))
        }
        book.principal(.get, "\(root)/whoami") { request, context in
            try request.requireKnownQuery([])
            return JSONAnswer(.ok, WhoAmIBody(context.caller.principal))
        }
        book.principal(.get, "\(root)/gateway") { request, _ in
            try request.requireKnownQuery([])
            return JSONAnswer(.ok, services.gateway.body)
        }
        book.scoped(.connectionsRead, .get, "\(root)/connections") { request, _ in
            try request.requireKnownQuery([])
            let newestFirst = services.keys.connections.sorted {
                ($0.startedAt, $0.process.startTime, $0.process.pid)
                    > ($1.startedAt, $1.process.startTime, $1.process.pid)
            }
            return JSONAnswer(.ok, newestFirst.map(ConnectionBody.init))
        }
    }
}

extension WhoAmIBody {
    fileprivate init(_ principal: Principal) {
        let scopes = principal.scopes.names
        switch principal {
        case .user(let user, let credential, _):
            var node: String?
            if case .node(let instance?) = credential { node = instance.rawValue }
            self.init(
                kind: user.kind == .service ? "service" : "user", id: user.id.text, name: user.name,
                role: user.role.rawValue, scopes: scopes, node: node)
        case .localAdministrator:
            self.init(
                kind: "local-administrator", id: nil, name: "local administrator", role: "admin", scopes: scopes)
        case .machine(let id, _, _):
            self.init(kind: "machine", id: id.text, name: id.text, role: nil, scopes: scopes)
        case .environment(let credential, _):
            self.init(kind: "environment", id: nil, name: credential.rawValue, role: nil, scopes: scopes)
        }
    }
}

extension ConnectionBody {
    fileprivate init(_ connection: KeyTable.Connection) {
        self.init(
            id: "\(connection.process.pid)-\(connection.process.startTime)", keyID: connection.key.text,
            purpose: connection.purpose, pid: Int(connection.process.pid), source: connection.source,
            startedAt: connection.startedAt)
    }
}
