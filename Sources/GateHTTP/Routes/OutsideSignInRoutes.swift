import GateControl
import GateModel
import GateWire
import HTTPTypes
import Hummingbird

/// Signing in by an outside provider's word. Browsers are sent to the provider and come back with a plain GET, so what is
/// checked here is that they come back to the browser that left.
struct OutsideSignInRoutes {
    /// Where a sign-in goes on that waits for its second factor.
    static let secondFactorPage = "/sign-in/code"

    let services: GateServices
    let root: String

    func add(to book: RouteBook) {
        let (signIn, browser) = (services.signIn, services.browser)
        book.open(.get, "\(root)/auth/oidc/start") { request, _ in
            try request.requireKnownQuery(["return_to"])
            guard let openID = signIn.openID, browser.allowsSessions else { throw ControlError.signInUnavailable }
            let path = try Field.optionalName(request.queryText("return_to"), "return_to", as: ReturnPath.self)
            let begun = try await openID.begin(origin: browser.text, returnTo: path ?? .root)
            return Redirect(
                to: begun.location,
                cookies: [
                    browser.cookie(browser.begunCookie, begun.cookie, lifetime: OpenIDSignIn.Beginning.lifetime)
                ])
        }
        // Providers add parameters of their own, which are to be left alone (RFC 6749, section 4.1.2).
        book.open(.get, "\(root)/auth/oidc/callback") { request, context in
            guard let openID = signIn.openID, browser.allowsSessions else { throw ControlError.signInUnavailable }
            let answer = OpenIDSignIn.Answer(
                state: request.onlyQueryText("state"), code: request.onlyQueryText("code"),
                issuer: request.onlyQueryText("iss"), error: request.onlyQueryText("error"))
            let completed = try await openID.complete(
                answer, cookie: request.cookie(browser.begunCookie), origin: browser.text, source: context.source,
                client: request.client)
            let spent = browser.removal(browser.begunCookie)
            switch completed.outcome {
            case .signedIn(let signedIn):
                return Redirect(
                    to: completed.returnTo.rawValue,
                    cookies: [browser.cookie(browser.sessionCookie, signedIn.cookie), spent])
            case .secondFactor(let pending):
                return Redirect(
                    to: "\(Self.secondFactorPage)?return_to=\(percentEncoded(completed.returnTo.rawValue))",
                    cookies: [
                        browser.cookie(browser.pendingCookie, pending, lifetime: SignInService.pendingLifetime), spent,
                    ])
            }
        }
        book.open(.post, "\(root)/auth/cloudflare-access") { request, context in
            try await request.requireEmptyBody()
            guard let access = signIn.cloudflareAccess, browser.allowsSessions else {
                throw ControlError.signInUnavailable
            }
            // Access adds its word to requests that other sites cause, too.
            guard BrowserSessions(sessions: signIn.sessions, origin: browser).isOwn(request) else {
                throw ControlError.forgeryTokenRefused
            }
            let assertions = request.headers[values: .accessAssertion]
            let outcome = try await access.signIn(
                assertion: assertions.count == 1 ? assertions[0] : nil, source: context.source,
                client: request.client)
            switch outcome {
            case .signedIn(let signedIn):
                return JSONAnswer(
                    .ok, SignedInBody(signedIn), cookies: [browser.cookie(browser.sessionCookie, signedIn.cookie)])
            case .secondFactor(let pending):
                return JSONAnswer(
                    .accepted, SecondFactorWaitsBody(page: Self.secondFactorPage),
                    cookies: [
                        browser.cookie(browser.pendingCookie, pending, lifetime: SignInService.pendingLifetime)
                    ])
            }
        }
    }
}

/// Sends a browser on with a GET, whatever it came with (RFC 9110, section 15.4.4).
private struct Redirect: ResponseGenerator {
    let location: String
    let cookies: [String]

    init(to location: String, cookies: [String]) {
        self.location = location
        self.cookies = cookies
    }

    func response(from request: Request, context: some RequestContext) -> Response {
        var headers: HTTPFields = [.location: location, .contentLength: "0"]
        // The address this came from holds a code that the next page must not hear of.
        if let name = HTTPField.Name("Referrer-Policy") { headers[name] = "no-referrer" }
        for cookie in cookies { headers.append(HTTPField(name: .setCookie, value: cookie)) }
        return Response(status: .seeOther, headers: headers)
    }
}

extension Request {
    /// A query parameter that is there exactly once: of two, one reader takes the first and another the last.
    fileprivate func onlyQueryText(_ name: String) -> String? {
        let values = uri.queryParameters[values: name[...]]
        return values.count == 1 ? values.first.map { String($0) } : nil
    }
}

extension HTTPField.Name {
    fileprivate static var accessAssertion: HTTPField.Name {
        HTTPField.Name(CloudflareAccessSignIn.header) ?? .date
    }
}
