import GateControl
import GateHTTP
import GateModel
import GateWire
import Hummingbird

/// Who one is, the second factor, and where one is signed in.
struct AccountPage: Page {
    static let template = PageTemplate.account

    struct SecondFactor: Sendable {
        let isOn: Bool
        let codesLeft: Int
    }

    struct Row: Sendable {
        let id: String
        let client: String
        let from: String
        /// How its person proved who they are.
        let proof: String
        let began: Moment
        let used: Moment
        let ends: Moment
        let isCurrent: Bool

        init(_ session: Session, current: ID<Session>, now: Timestamp) {
            id = session.id.text
            client = session.client.isEmpty ? "a browser that doesn't say which" : session.client
            from = session.source
            let factor = session.secondFactorAt == nil ? "no second factor" : "second factor"
            proof = session.method == .password ? "password, \(factor)" : "\(session.method.rawValue), \(factor)"
            began = Moment(session.createdAt, now: now)
            used = Moment(session.lastUsedAt, now: now)
            ends = Moment(min(session.idleUntil, session.expiresAt), now: now)
            isCurrent = session.id == current
        }
    }

    let frame: PageFrame
    let fault: PageFault? = nil
    let notice: String?
    let name: String
    let roleWords: String
    let secondFactor: SecondFactor
    let sessions: [Row]
}

extension Panel {
    func addAccount(to pages: PageBook) {
        pages.person(.get, "/", returnTo: "/") { request, _, visitor in
            let status = try await signIn.passwords.status(by: visitor.caller)
            let now = now()
            let sessions = try await signIn.sessions.list(by: visitor.caller)
            return answer(
                AccountPage(
                    frame: frame("Account", visitor, at: "/", isNarrow: false),
                    notice: notice(request, .sessionEnded)?.words, name: status.user.name,
                    roleWords: status.user.role.words,
                    secondFactor: .init(isOn: status.hasSecondFactor, codesLeft: status.recoveryCodesLeft),
                    sessions: sessions.map { .init($0, current: visitor.session.id, now: now) }))
        }
        pages.person(.post, "/sessions/:id/end", returnTo: "/") { _, context, visitor in
            guard let id = context.parameter("id").flatMap({ ID<Session>($0) }) else {
                throw ControlError.sessionNotFound
            }
            try await signIn.sessions.end(id, by: visitor.caller)
            return id == visitor.session.id ? signedOut : .seeOther("/?notice=\(PageNotice.sessionEnded.rawValue)")
        }
        pages.person(.post, "/sign-out", returnTo: "/") { _, context, visitor in
            _ = try await signIn.sessions.logOut(
                everywhere: context.form["where"] != "here", by: visitor.caller)
            return signedOut
        }
    }

    private var signedOut: Response {
        .seeOther(
            "/sign-in?notice=\(PageNotice.signedOut.rawValue)",
            cookies: [browser.removal(browser.sessionCookie), browser.removal(browser.pendingCookie)])
    }
}
