import GateControl
import GateHTTP
import GateModel
import GateWire
import HTTPTypes
import Hummingbird

/// User name and password.
struct SignInPage: Page {
    static let template = PageTemplate.signIn

    let frame: PageFrame
    let returnTo: String
    /// As it was typed before.
    let name: String
    let hasName: Bool
    let fault: PageFault?
    let notice: String?
    let ways: [OutsideWay]
    let hasWays: Bool
}

/// The code of an account with a second factor.
struct SignInCodePage: Page {
    static let template = PageTemplate.signInCode

    let frame: PageFrame
    let returnTo: String
    let fault: PageFault?
    let notice: String? = nil
}

extension Panel {
    func addSignIn(to pages: PageBook) {
        pages.open(.get, "/sign-in") { request, context in
            let returnTo = Self.returnTo(request)
            guard context.visitor == nil else { return .seeOther(returnTo.rawValue) }
            return answer(signInPage(returnTo, notice: notice(request, .signedOut, .beginAgain)))
        }
        pages.open(.post, "/sign-in") { request, context in
            let returnTo = ReturnPath(rawValue: context.form["return_to"]) ?? .root
            // Telephones begin names with a capital and end them with a blank.
            let typed = context.form["name"].split(separator: " ").joined(separator: " ").lowercased()
            do {
                guard let name = UserName(rawValue: typed) else {
                    throw Problem(.invalidField, "That is no user name.")
                }
                let outcome = try await signIn.passwords.signIn(
                    name: name.rawValue, password: try Field.password(context.form["password"], "password"),
                    source: context.source, client: request.client)
                switch outcome {
                case .signedIn(let signedIn): return signedInAnswer(signedIn, returnTo)
                case .secondFactor(let pending):
                    return .seeOther(
                        Self.path("/sign-in/code", returnTo),
                        cookies: [
                            browser.cookie(browser.pendingCookie, pending, lifetime: SignInService.pendingLifetime)
                        ])
                }
            } catch {
                let told = try told(error, hints: Self.hints)
                return answer(
                    signInPage(returnTo, name: typed, fault: told.fault), problem: told.problem)
            }
        }
        pages.open(.get, "/sign-in/code") { request, context in
            let returnTo = Self.returnTo(request)
            guard context.visitor == nil else { return .seeOther(returnTo.rawValue) }
            guard request.cookie(browser.pendingCookie) != nil else {
                return .seeOther(Self.path("/sign-in", returnTo))
            }
            return answer(codePage(returnTo))
        }
        pages.open(.post, "/sign-in/code") { request, context in
            let returnTo = ReturnPath(rawValue: context.form["return_to"]) ?? .root
            guard let pending = request.cookie(browser.pendingCookie) else {
                return .seeOther(Self.path("/sign-in", returnTo, notice: .beginAgain))
            }
            do {
                let signedIn = try await signIn.passwords.complete(
                    pending: pending, code: try Field.code(context.form["code"], "code"), source: context.source,
                    client: request.client)
                return signedInAnswer(signedIn, returnTo)
            } catch ControlError.signInRefused {
                return .seeOther(
                    Self.path("/sign-in", returnTo, notice: .beginAgain),
                    cookies: [browser.removal(browser.pendingCookie)])
            } catch {
                let told = try told(error)
                return answer(codePage(returnTo, fault: told.fault), problem: told.problem)
            }
        }
    }

    private static let hints = [
        ProblemHint(
            code: .signInRefused, words: "Whoever runs the gateway can set a new password: tidegate user password NAME."
        ),
        ProblemHint(code: .invalidField, words: "Names are lower-case letters, digits and . _ @ + -"),
    ]

    private func signInPage(
        _ returnTo: ReturnPath, name: String = "", fault: PageFault? = nil, notice: PageNotice? = nil
    ) -> SignInPage {
        let ways = ways(returnTo)
        return SignInPage(
            frame: frame("Sign in"), returnTo: returnTo.rawValue, name: name, hasName: !name.isEmpty, fault: fault,
            notice: notice?.words, ways: ways, hasWays: !ways.isEmpty)
    }

    private func codePage(_ returnTo: ReturnPath, fault: PageFault? = nil) -> SignInCodePage {
        SignInCodePage(frame: frame("Second factor"), returnTo: returnTo.rawValue, fault: fault)
    }

    private func signedInAnswer(_ signedIn: SignedIn, _ returnTo: ReturnPath) -> Response {
        .seeOther(
            returnTo.rawValue,
            cookies: [
                browser.cookie(browser.sessionCookie, signedIn.cookie), browser.removal(browser.pendingCookie),
            ])
    }

    private static func returnTo(_ request: Request) -> ReturnPath {
        request.uri.queryParameters["return_to"].flatMap { ReturnPath(rawValue: String($0)) } ?? .root
    }

    /// `path` with what has to come along.
    private static func path(_ path: String, _ returnTo: ReturnPath, notice: PageNotice? = nil) -> String {
        var query: [String] = []
        if returnTo != .root { query.append("return_to=\(percentEncoded(returnTo.rawValue))") }
        if let notice { query.append("notice=\(notice.rawValue)") }
        return query.isEmpty ? path : "\(path)?\(query.joined(separator: "&"))"
    }
}
