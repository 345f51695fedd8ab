import GateControl
import GateModel
import GateStore
import GateWire
import HTTPTypes
import Hummingbird

/// Users, service users and, for the operator on the gateway's host, tenants.
struct UserRoutes {
    let services: GateServices
    let root: String

    func add(to book: RouteBook) {
        let services = services
        book.scoped(.accessWrite, .post, "\(root)/users") { request, context in
            let body = try await request.decode(AddUserRequest.self)
            let user = try await services.users.add(
                name: try Field.name(body.name, "name"),
                kind: try Field.choice(body.kind ?? User.Kind.person.rawValue, "kind"),
                role: try Field.choice(body.role, "role"), allowFrom: try Field.blocks(body.allowFrom),
                by: context.caller)
            return JSONAnswer(.created, UserBody(user))
        }
        book.scoped(.accessRead, .get, "\(root)/users") { request, context in
            try request.requireKnownQuery(["after", "limit"])
            let limit = try Field.limit(request)
            let after = try Field.optionalName(request.queryText("after"), "after", as: UserName.self)
            let users = try await services.users.list(after: after?.rawValue, limit: limit, by: context.caller)
            let next =
                users.count == limit
                ? users.last.map { "<\(request.uri.path)?after=\($0.name)&limit=\(limit)>; rel=\"next\"" } : nil
            return JSONAnswer(.ok, users.map { UserBody($0) }, link: next)
        }
        book.scoped(.accessRead, .get, "\(root)/users/:name") { request, context in
            try request.requireKnownQuery([])
            return JSONAnswer(.ok, UserBody(try await services.users.show(context.userName(), by: context.caller)))
        }
        book.scoped(.accessWrite, .patch, "\(root)/users/:name") { request, context in
            let name = try context.userName()
            let body = try await request.decode(PatchUserRequest.self)
            let patch = UserService.Patch(
                role: try body.role.map { try Field.choice($0, "role") },
                allowFrom: try body.allowFrom.map { try Field.blocks($0) }, isDisabled: body.disabled)
            return JSONAnswer(.ok, UserBody(try await services.users.patch(name, patch, by: context.caller)))
        }
        book.scoped(.accessWrite, .post, "\(root)/users/:name/identities") { request, context in
            let name = try context.userName()
            let body = try await request.decode(LinkIdentityRequest.self)
            let identity = try await services.users.link(
                name, issuer: try Field.name(body.issuer, "issuer"), subject: try Field.name(body.subject, "subject"),
                by: context.caller)
            return JSONAnswer(.created, IdentityBody(identity))
        }
        book.scoped(.accessRead, .get, "\(root)/users/:name/identities") { request, context in
            try request.requireKnownQuery([])
            return JSONAnswer(
                .ok,
                try await services.users.identities(of: context.userName(), by: context.caller).map { IdentityBody($0) }
            )
        }
        book.scoped(.accessWrite, .delete, "\(root)/users/:name/identities/:id") { request, context in
            try request.requireKnownQuery([])
            try await services.users.unlink(
                try context.id(
                    "id", of: OutsideIdentity.self, else: .identityNotFound, "This user has no such outside identity."),
                from: context.userName(), sessions: services.signIn.sessions, by: context.caller)
            return HTTPResponse.Status.noContent
        }
        book.scoped(.tenants, .post, "\(root)/tenants") { request, context in
            let body = try await request.decode(AddTenantRequest.self)
            let (tenant, user, token, text) = try await services.tenants.add(
                name: try Field.name(body.name, "name"),
                administrator: try Field.name(body.administrator, "administrator"), by: context.caller)
            return JSONAnswer(
                .created,
                AddedTenantBody(
                    tenant: TenantBody(tenant), administrator: UserBody(user),
                    token: TokenBody(token, text: text.reveal())))
        }
        book.scoped(.tenants, .get, "\(root)/tenants") { request, context in
            try request.requireKnownQuery([])
            return JSONAnswer(.ok, try await services.tenants.list(by: context.caller).map { TenantBody($0) })
        }
    }
}

extension PrincipalContext {
    fileprivate func userName() throws -> UserName {
        guard let text = parameters.get("name"), let name = UserName(rawValue: text) else {
            throw Problem(.userNotFound, "No such user.")
        }
        return name
    }
}

extension UserBody {
    init(_ user: User) {
        self.init(
            id: user.id.text, name: user.name, kind: user.kind.rawValue, role: user.role.rawValue,
            allowFrom: user.allowFrom, createdAt: user.createdAt, disabledAt: user.disabledAt)
    }
}

extension TenantBody {
    init(_ tenant: StoredTenant) {
        self.init(id: tenant.id.text, name: tenant.name, createdAt: tenant.createdAt)
    }
}
