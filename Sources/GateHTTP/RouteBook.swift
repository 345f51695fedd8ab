import GateControl
public import GateModel
import GateWire
import HTTPTypes
import Hummingbird

/// Adds routes and remembers them, so that a wrong method is answered 405 with `Allow`, and so that tests can walk every
/// route there is.
public final class RouteBook {
    /// Which kind of principal a route takes.
    public enum Access: Sendable, Hashable {
        case anyone, enrolmentToken, setupSecret, ticket, principal, machine, sharedKey
        /// Anyone, however often: a probe that is told to wait would take the gateway for dead.
        case probe
        /// A user, or the operator on the gateway's host, whose credential has all of these.
        case scoped(Scopes)
        /// A person, by a token that has all of these or by a browser's session.
        case person(Scopes)
        /// A person before a browser alone.
        case session
        /// The same in another program's API, which tells a refusal in shapes of its own: 403 for nobody too.
        case dialect(Scopes)
        /// A page that anybody may open with a browser, and one for whoever has a session.
        case page, personPage
    }

    public struct Entry: Sendable, Hashable {
        public let method: String
        public let path: String
        public let access: Access
    }

    public private(set) var entries: [Entry] = []
    let router: Router<GateContext>
    private var foreignPaths: Set<String> = []
    /// Paths of pages, with what shapes a refusal there.
    var pageRefusals: [String: PageBook.Refusal] = [:]

    private let agents: AgentAdmission

    /// Nil on a listener that takes no cookies.
    let sessions: BrowserSessions?

    init(router: Router<GateContext>, agents: AgentAdmission, sessions: BrowserSessions? = nil) {
        self.router = router
        self.agents = agents
        self.sessions = sessions
    }

    typealias Handler<Context> = @Sendable (Request, Context) async throws -> any ResponseGenerator

    func open(
        _ method: HTTPRequest.Method, _ path: String, access: Access = .anyone,
        use handler: @escaping Handler<GateContext>
    ) {
        note(method, path, access)
        router.on(RouterPath(path), method: method) { request, context in
            if access == .anyone { try context.countAnonymous() }
            return try await handler(request, context).response(from: request, context: context)
        }
    }

    func principal(_ method: HTTPRequest.Method, _ path: String, use handler: @escaping Handler<PrincipalContext>) {
        note(method, path, .principal)
        router.group(context: PrincipalContext.self)
            .on(RouterPath(path), method: method) { try await handler($0, $1).response(from: $0, context: $1) }
    }

    /// The scopes are asked for before the handler runs, so that it reads nothing of a request it refuses.
    func scoped(
        _ scopes: Scopes, _ method: HTTPRequest.Method, _ path: String,
        use handler: @escaping Handler<PrincipalContext>
    ) {
        note(method, path, .scoped(scopes))
        router.group(context: PrincipalContext.self)
            .on(RouterPath(path), method: method) { request, context in
                try context.caller.require(scopes)
                return try await handler(request, context).response(from: request, context: context)
            }
    }

    func machine(_ method: HTTPRequest.Method, _ path: String, use handler: @escaping Handler<MachineContext>) {
        note(method, path, .machine)
        router.on(RouterPath(path), method: method) { [agents] request, context in
            let context = try MachineContext(context: try await context.admitted(by: agents, request))
            return try await handler(request, context).response(from: request, context: context)
        }
    }

    /// For a person, by a token with these scopes or by a browser's session. Only here and on `session` routes is a cookie
    /// looked at: on all others a signed-in browser is nobody, so no page of another site can use it.
    func person(
        _ scopes: Scopes, _ method: HTTPRequest.Method, _ path: String, use handler: @escaping Handler<PersonContext>
    ) {
        note(method, path, .person(scopes))
        on(method, path) { request, context in
            try context.caller.require(scopes)
            return try await handler(request, context)
        }
    }

    /// For a person before a browser alone.
    func session(_ method: HTTPRequest.Method, _ path: String, use handler: @escaping Handler<PersonContext>) {
        note(method, path, .session)
        on(method, path) { request, context in
            guard context.caller.principal.session != nil else {
                throw Problem(.forbidden, "Only somebody who is signed in with a browser may do this.")
            }
            return try await handler(request, context)
        }
    }

    private func on(_ method: HTTPRequest.Method, _ path: String, _ handler: @escaping Handler<PersonContext>) {
        let sessions = sessions
        router.on(RouterPath(path), method: method) { request, context in
            let context = try PersonContext(context: try await sessions?.authenticate(request, context) ?? context)
            return try await handler(request, context).response(from: request, context: context)
        }
    }

    /// A path that speaks another program's dialect: every method that nobody took before comes to `handler`, which answers
    /// all of them, also 405, in the dialect's own shapes. It authenticates by itself and before it reads a body.
    public func foreign(
        _ method: HTTPRequest.Method, _ path: String, access: Access,
        use handler: @escaping @Sendable (Request, GateContext) async -> Response
    ) {
        let taken = Set(entries.filter { $0.path == path }.map(\.method))
        note(method, path, access)
        foreignPaths.insert(path)
        for method in Self.methods where !taken.contains(method.rawValue) {
            router.on(RouterPath(path), method: method) { await handler($0, $1) }
        }
    }

    /// A route of another program's API, for whoever's credential has all of these scopes. A missing or too weak one and
    /// what `handler` throws are told by `refusal`, in that program's own shapes; a credential that isn't good was answered
    /// 401 before.
    public func dialect(
        _ scopes: Scopes, _ method: HTTPRequest.Method, _ path: String,
        refusal: @escaping @Sendable (any Error, GateContext) -> Response,
        use handler: @escaping @Sendable (Request, PrincipalContext) async throws -> Response
    ) {
        note(method, path, .dialect(scopes))
        router.on(RouterPath(path), method: method) { request, context -> Response in
            do {
                let known = try PrincipalContext(context: context)
                try known.caller.require(scopes)
                return try await handler(request, known)
            } catch {
                return refusal(error, context)
            }
        }
    }

    private static let methods: [HTTPRequest.Method] = [
        .get, .head, .post, .put, .patch, .delete, .options, .trace, .connect,
    ]

    func note(_ method: HTTPRequest.Method, _ path: String, _ access: Access) {
        entries.append(Entry(method: method.rawValue, path: path, access: access))
    }

    /// Registers 405 for every method a known path doesn't take. Call it after the last route.
    func closeMethods() {
        for (path, known) in Dictionary(grouping: entries, by: \.path) where !foreignPaths.contains(path) {
            let allowed = Set(known.map(\.method))
            let allow = allowed.sorted().joined(separator: ", ")
            for method in Self.methods where !allowed.contains(method.rawValue) {
                let refusal = pageRefusals[path]
                router.on(RouterPath(path), method: method) { request, context -> Response in
                    let problem = Problem(.methodNotAllowed, "This path takes \(allow).", allow: allow)
                    // Who follows a link or reloads reads a page; programs read problems.
                    guard let refusal, request.headers[.accept]?.contains("text/html") == true else { throw problem }
                    return refusal(problem, nil, context.requestID)
                }
            }
        }
    }
}
