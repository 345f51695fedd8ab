import GateControl
import GateModel
import GateWire
import HTTPTypes
import Hummingbird

/// Set-up, who am I, the gateway's coordinates, personal tokens and live connections.
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
        book.administrator(.post, "\(root)/tokens") { request, context in
            let body = try await request.decode(AddTokenRequest.self)
            let (token, text) = try await services.tokens.add(
                label: try Field.label(body.label, "label"),
                lifetime: try Field.seconds(
                    body.ttl, "ttl", TokenService.lifetimes,
                    default: Int(TokenService.defaultLifetime.components.seconds)),
                by: context.caller)
            return JSONAnswer(.created, TokenBody(token, text: text.reveal()))
        }
        book.administrator(.get, "\(root)/tokens") { request, context in
            try request.requireKnownQuery([])
            return JSONAnswer(.ok, try await services.tokens.list(by: context.caller).map { TokenBody($0) })
        }
        book.administrator(.delete, "\(root)/tokens/:id") { request, context in
            try request.requireKnownQuery([])
            try await services.tokens.revoke(
                try context.id("id", of: AccessToken.self, else: .tokenNotFound, "No such token."), by: context.caller)
            return HTTPResponse.Status.noContent
        }
        book.administrator(.get, "\(root)/connections") { request, _ in
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
        switch principal {
        case .user(let user, _): self.init(kind: "user", id: user.id.text, name: user.name, role: user.role.rawValue)
        case .localAdministrator:
            self.init(kind: "local-administrator", id: nil, name: "local administrator", role: "admin")
        case .machine(let id, _, _): self.init(kind: "machine", id: id.text, name: id.text, role: nil)
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
