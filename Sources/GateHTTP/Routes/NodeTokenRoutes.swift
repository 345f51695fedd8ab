import GateControl
import GateModel
import HTTPTypes
import Hummingbird

/// The Fleet's node tokens, as far as they are the gateway's: what it remembers of them.
struct NodeTokenRoutes {
    let services: GateServices
    let root: String

    func add(to book: RouteBook) {
        let services = services
        book.scoped(.accessWrite, .post, "\(root)/node-tokens/forget") { request, context in
            try request.requireKnownQuery([])
            try await request.requireEmptyBody()
            try await services.nodeTokens.forget(by: context.caller)
            return HTTPResponse.Status.noContent
        }
    }
}
