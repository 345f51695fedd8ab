import GateControl
import GateModel
import GateWire
import HTTPTypes
import Hummingbird

/// Personal and service tokens.
struct TokenRoutes {
    let services: GateServices
    let root: String

    func add(to book: RouteBook) {
        let services = services
        book.scoped(.tokens, .post, "\(root)/tokens") { request, context in
            let body = try await request.decode(AddTokenRequest.self)
            let wish = TokenService.Wish(
                label: try Field.label(body.label, "label"),
                lifetime: try Field.seconds(
                    body.ttl, "ttl", TokenService.lifetimes,
                    default: Int(TokenService.defaultLifetime.components.seconds)),
                owner: try Field.optionalName(body.user, "user"), scopes: try Field.scopes(body.scopes),
                allowFrom: try Field.blocks(body.allowFrom))
            let (token, text) = try await services.tokens.add(wish, by: context.caller)
            return JSONAnswer(.created, TokenBody(token, text: text.reveal()))
        }
        book.scoped(.tokens, .get, "\(root)/tokens") { request, context in
            try request.requireKnownQuery(["user"])
            let user = try Field.optionalName(request.queryText("user"), "user", as: UserName.self)
            return JSONAnswer(
                .ok, try await services.tokens.list(of: user, by: context.caller).map { TokenBody($0) })
        }
        book.scoped(.tokens, .delete, "\(root)/tokens/:id") { request, context in
            try request.requireKnownQuery(["user"])
            try await services.tokens.revoke(
                try context.id("id", of: AccessToken.self, else: .tokenNotFound, "No such token."),
                of: try Field.optionalName(request.queryText("user"), "user"), by: context.caller)
            return HTTPResponse.Status.noContent
        }
        // The credential itself is what is meant: it needs no scope beyond being a token.
        book.principal(.post, "\(root)/tokens/current/renew") { request, context in
            try request.requireKnownQuery([])
            try await request.requireEmptyBody()
            let renewal = try await services.tokens.renew(by: context.caller)
            return JSONAnswer(.ok, TokenRenewalBody(expiresAt: renewal.expiresAt, renewed: renewal.isRenewed))
        }
    }
}
