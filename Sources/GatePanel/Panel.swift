public import GateControl
public import GateHTTP
public import GateModel
import GateWire
import HTTPTypes
import Hummingbird
import NIOCore

/// Another way to sign in than a password: a link to it.
public struct OutsideWay: Sendable {
    /// Behind "Sign in with".
    public let label: String
    /// A path of this gateway.
    public let href: String

    public init(label: String, href: String) {
        self.label = label
        self.href = href
    }
}

/// The pages for people before a browser: signing in, the second factor, sessions, and answering programs that ask for a
/// token. Rendered here, without a script; the same use cases as the API's.
public struct Panel: Sendable {
    let signIn: SignInServices
    let browser: BrowserOrigin
    let now: @Sendable () -> Timestamp
    let ways: @Sendable (_ returnTo: ReturnPath) -> [OutsideWay]
    private let templates: TemplateLibrary

    /// The path of its one stylesheet.
    public static var stylesheetPath: String { Stylesheet.path }

    /// `ways` are the outside ways to sign in that come back to a path. Throws for a template that can't be parsed.
    public init(
        signIn: SignInServices, browser: BrowserOrigin, now: @escaping @Sendable () -> Timestamp,
        ways: @escaping @Sendable (_ returnTo: ReturnPath) -> [OutsideWay] = { _ in [] }
    ) throws {
        self.signIn = signIn
        self.browser = browser
        self.now = now
        self.ways = ways
        templates = try TemplateLibrary()
    }

    /// Adds every page to a listener that takes sessions, and none to others.
    public func add(to book: RouteBook) {
        let pages = book.pages(signInPath: "/sign-in") { problem, visitor, requestID in
            refusal(problem, visitor: visitor, requestID: requestID)
        }
        guard let pages else { return }
        pages.file(Stylesheet.path) { Stylesheet.answer() }
        addSignIn(to: pages)
        addAccount(to: pages)
        addSecondFactor(to: pages)
        addDevices(to: pages)
    }

    func frame(_ title: String, _ visitor: Visitor? = nil, at path: String = "", isNarrow: Bool = true) -> PageFrame {
        PageFrame(title, gateway: String(browser.authority), visitor: visitor, at: path, isNarrow: isNarrow)
    }

    /// The page as an answer; with `problem` under its status.
    func answer(_ page: some Page, problem: Problem? = nil, cookies: [String] = []) -> Response {
        var headers = PageHeaders.all
        headers[.contentType] = "text/html; charset=utf-8"
        headers[.cacheControl] = "no-store"
        if let wait = problem?.retryAfter { headers[.retryAfter] = String(max(1, wait.components.seconds)) }
        if let allow = problem?.allow { headers[.allow] = allow }
        // RFC 9110, section 15.5.2, asks for one; browsers don't act on this scheme.
        if problem?.status == 401 { headers[.wwwAuthenticate] = "Bearer realm=\"tidegate\"" }
        for cookie in cookies { headers.append(HTTPField(name: .setCookie, value: cookie)) }
        return Response(
            status: problem.map { HTTPResponse.Status(code: $0.status) } ?? .ok, headers: headers,
            body: .init(byteBuffer: ByteBuffer(string: templates.render(page))))
    }

    /// What was done before this page was opened, if it is one of these.
    func notice(_ request: Request, _ known: PageNotice...) -> PageNotice? {
        request.uri.queryParameters["notice"].flatMap { PageNotice(rawValue: String($0)) }
            .flatMap { known.contains($0) ? $0 : nil }
    }

    /// What to show beside a form that failed, and the problem whose status its page gets. Rethrows what is a fault of ours.
    func told(_ error: any Error, hints: [ProblemHint] = []) throws -> (fault: PageFault, problem: Problem) {
        guard !(error is CancellationError), let problem = Problem(mapping: error) else { throw error }
        let hint = hints.first { $0.code == problem.code }?.words ?? Self.hint(problem)
        return (PageFault(words: problem.detail, hint: hint), problem)
    }

    static func hint(_ problem: Problem) -> String? {
        if let wait = problem.retryAfter {
            let seconds = max(1, wait.components.seconds)
            return "Try again in \(seconds == 1 ? "a second" : "\(seconds) seconds")."
        }
        return problem.status >= 500 ? "Nothing is wrong with what you typed; try again in a while." : nil
    }
}

/// What to do next after a problem of that kind, on one page.
struct ProblemHint {
    let code: ProblemCode
    let words: String
}
