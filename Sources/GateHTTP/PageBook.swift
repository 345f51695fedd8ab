public import GateControl
public import GateModel
import GateWire
public import HTTPTypes
public import Hummingbird
import Logging

/// Somebody who is signed in with a browser.
public struct Visitor: Sendable {
    public let caller: Caller
    public let user: User
    public let session: Session
    /// For the hidden field `csrf` of every form of theirs.
    public let forgeryToken: String
}

/// A request for a page.
public struct PageContext: Sendable {
    /// Nil where the browser has no session.
    public let visitor: Visitor?
    /// Empty but for POST.
    public let form: Form
    /// Where the browser is, after trusted proxies.
    public let source: String
    public let requestID: String
    private let context: GateContext

    fileprivate init(_ context: GateContext, visitor: Visitor?, form: Form) {
        self.context = context
        self.visitor = visitor
        self.form = form
        source = context.source
        requestID = context.requestID
    }

    public func parameter(_ name: String) -> String? { context.parameters.get(name) }
}

/// Adds pages for people before a browser. A cookie says who they are and nothing else does; each form of theirs holds their
/// session's token; what is refused is answered with a page. Handlers get the visitor by type, so none can forget to ask.
public struct PageBook {
    /// Shapes a refusal, to the visitor where there is one.
    public typealias Refusal = @Sendable (_ problem: Problem, _ visitor: Visitor?, _ requestID: String) -> Response

    private let book: RouteBook
    private let sessions: BrowserSessions
    private let signInPath: String
    private let refusal: Refusal

    fileprivate init(book: RouteBook, sessions: BrowserSessions, signInPath: String, refusal: @escaping Refusal) {
        self.book = book
        self.sessions = sessions
        self.signInPath = signInPath
        self.refusal = refusal
    }

    /// A file that pages link to.
    public func file(_ path: String, use answer: @escaping @Sendable () -> Response) {
        book.note(.get, path, .page)
        book.router.on(RouterPath(path), method: .get) { _, _ in answer() }
    }

    /// A page for anybody. A form sent to it has to come from a page of ours, by the browser's own word.
    public func open(
        _ method: HTTPRequest.Method, _ path: String,
        use handler: @escaping @Sendable (Request, PageContext) async throws -> Response
    ) {
        on(method, path, .page) { [sessions] request, context in
            let isForm = request.method == .post
            guard !isForm || sessions.isSurelyOwn(request) else { throw Self.foreign }
            // Whoever may not use a session from here can still sign in as somebody else.
            let visitor: Visitor?
            do { visitor = try await sessions.visitor(of: request, context) } catch ControlError.addressNotAllowed {
                visitor = nil
            }
            try context.count(visitor)
            let form = isForm ? try await request.form() : Form()
            return try await handler(request, PageContext(context, visitor: visitor, form: form))
        }
    }

    /// A page for whoever is signed in; others are sent to sign in first, and then back to `returnTo`.
    public func person(
        _ method: HTTPRequest.Method, _ path: String, returnTo: String,
        use handler: @escaping @Sendable (Request, PageContext, Visitor) async throws -> Response
    ) {
        on(method, path, .personPage) { [sessions, signInPath] request, context in
            guard let visitor = try await sessions.visitor(of: request, context) else {
                return .seeOther(
                    returnTo == "/" ? signInPath : "\(signInPath)?return_to=\(percentEncoded(returnTo))",
                    closes: request.method == .post)
            }
            try context.count(visitor)
            let isForm = request.method == .post
            let form = isForm ? try await request.form() : Form()
            if isForm {
                guard sessions.isOwn(request),
                    sessions.sessions.isForgeryToken(form["csrf"], of: visitor.session.id)
                else { throw Self.foreign }
            }
            return try await handler(request, PageContext(context, visitor: visitor, form: form), visitor)
        }
    }

    private static let foreign = Problem(
        .csrfRefused, "The form didn't come from a page of this session. Nothing was done; open the page anew.")

    private func on(
        _ method: HTTPRequest.Method, _ path: String, _ access: RouteBook.Access,
        _ handler: @escaping @Sendable (Request, GateContext) async throws -> Response
    ) {
        book.note(method, path, access)
        book.pageRefusals[path] = refusal
        book.router.on(RouterPath(path), method: method) { [sessions, refusal] request, context in
            do {
                guard sessions.origin.allowsSessions else {
                    throw Problem(.signInUnavailable, "Signing in needs https, or a loopback address.")
                }
                return try await handler(request, context)
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                let problem = Problem(mapping: error)
                if problem == nil {
                    context.logger.error(
                        "request failed",
                        metadata: [
                            "error": "\(String(reflecting: error))", "gate.request.id": "\(context.requestID)",
                        ])
                }
                // For the page's frame alone; whatever is wrong is being told already.
                let visitor = try? await sessions.visitor(of: request, context)
                var response = refusal(
                    problem ?? Problem(.internalError, "Something went wrong on our side."), visitor, context.requestID)
                // The rest of a body nobody will read: don't wait for it on this connection.
                if request.method == .post { response.headers[.connection] = "close" }
                return response
            }
        }
    }
}

extension RouteBook {
    /// For the routes of a panel; nil on a listener that takes no cookies.
    public func pages(signInPath: String, refusal: @escaping PageBook.Refusal) -> PageBook? {
        sessions.map { PageBook(book: self, sessions: $0, signInPath: signInPath, refusal: refusal) }
    }
}

extension BrowserSessions {
    fileprivate func visitor(of request: Request, _ context: GateContext) async throws -> Visitor? {
        guard let (session, user) = try await session(of: request, source: context.source) else { return nil }
        return Visitor(
            caller: Caller(principal: .user(user, in: session.id), source: context.source), user: user,
            session: session, forgeryToken: sessions.forgeryToken(of: session.id))
    }
}

extension GateContext {
    fileprivate func count(_ visitor: Visitor?) throws {
        if let visitor { try count(visitor.caller) } else { try countAnonymous() }
    }
}

extension Response {
    /// 303 (RFC 9110, section 15.4.4): what answers a form, so that reloading doesn't send it again.
    public static func seeOther(_ path: String, cookies: [String] = [], closes: Bool = false) -> Response {
        var headers: HTTPFields = [.location: path]
        for cookie in cookies { headers.append(HTTPField(name: .setCookie, value: cookie)) }
        if closes { headers[.connection] = "close" }
        return Response(status: .seeOther, headers: headers)
    }
}
