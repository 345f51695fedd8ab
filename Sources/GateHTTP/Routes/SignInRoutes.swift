import GateControl
import GateModel
import GateWire
import HTTPTypes
import Hummingbird

/// Signing in and out with a password, sessions, and passwords.
struct SignInRoutes {
    let services: GateServices
    let root: String

    func add(to book: RouteBook) {
        let (services, browser) = (services, services.browser)
        let signIn = services.signIn
        book.open(.post, "\(root)/auth/password-login") { request, context in
            let body = try await request.decode(PasswordLoginRequest.self)
            guard browser.allowsSessions else {
                throw Problem(.signInUnavailable, "Signing in needs https, or a loopback address: see --panel-url.")
            }
            let signedIn = try await signIn.passwords.signIn(
                name: try Field.name(body.username, "username", as: UserName.self).rawValue,
                password: try Field.password(body.password, "password"),
                code: try body.totp.map { try Field.code($0, "totp") }, source: context.source, client: request.client)
            return JSONAnswer(
                .ok, SignedInBody(signedIn), cookies: [browser.cookie(browser.sessionCookie, signedIn.cookie)])
        }
        book.person([], .post, "\(root)/auth/logout") { request, context in
            let body = try await request.decodeIfPresent(LogoutRequest.self) ?? LogoutRequest()
            let ended = try await signIn.sessions.logOut(everywhere: body.everywhere ?? true, by: context.caller)
            return JSONAnswer(
                .ok, LogoutBody(sessionsEnded: ended.sessions, tokenRevoked: ended.isTokenRevoked),
                cookies: [browser.removal(browser.sessionCookie)])
        }
        book.person([], .get, "\(root)/auth/status") { request, context in
            try request.requireKnownQuery([])
            let status = try await signIn.passwords.status(by: context.caller)
            return JSONAnswer(.ok, AuthStatusBody(status, sessions: signIn.sessions, caller: context.caller))
        }
        book.person(.tokens, .get, "\(root)/auth/sessions") { request, context in
            try request.requireKnownQuery([])
            let own = context.caller.principal.session
            return JSONAnswer(
                .ok,
                try await signIn.sessions.list(by: context.caller).map { SessionBody($0, current: $0.id == own) })
        }
        book.person(.tokens, .delete, "\(root)/auth/sessions/:id") { request, context in
            try request.requireKnownQuery([])
            try await signIn.sessions.end(
                try context.id("id", of: Session.self, else: .sessionNotFound, "No such session."), by: context.caller)
            return HTTPResponse.Status.noContent
        }
        book.person(.tokens, .post, "\(root)/auth/password") { request, context in
            let body = try await request.decode(SetPasswordRequest.self)
            try await signIn.passwords.setPassword(
                ofUserNamed: try Field.optionalName(body.username, "username", as: UserName.self)?.rawValue,
                current: try body.currentPassword.map { try Field.password($0, "current_password") },
                new: try Field.password(body.newPassword, "new_password"), by: context.caller)
            return HTTPResponse.Status.noContent
        }
    }
}

extension SignedInUserBody {
    init(_ user: User) { self.init(id: user.id.text, name: user.name, role: user.role.rawValue) }
}

extension SignedInBody {
    init(_ signedIn: SignedIn) {
        self.init(
            user: SignedInUserBody(signedIn.user), session: SessionBody(signedIn.session, current: true),
            csrfToken: signedIn.forgeryToken)
    }
}

extension AuthStatusBody {
    fileprivate init(_ status: SignInService.Status, sessions: SessionService, caller: Caller) {
        self.init(
            user: SignedInUserBody(status.user),
            credential: Credential(
                kind: caller.principal.session == nil ? "token" : "session", id: status.credential,
                expiresAt: status.expiresAt),
            hasPassword: status.hasPassword, secondFactor: status.hasSecondFactor,
            recoveryCodesLeft: status.recoveryCodesLeft, sessions: status.sessions,
            csrfToken: caller.principal.session.map { sessions.forgeryToken(of: $0) })
    }
}

extension Field {
    /// Whatever can be typed. Which may be set is the use case's to say.
    package static func password(_ text: String, _ field: String) throws -> String {
        guard (1...1_024).contains(text.utf8.count), !text.unicodeScalars.contains(where: isUnprintable) else {
            throw invalid(field, "1 to 1024 bytes of text without control characters")
        }
        return text
    }

    package static func code(_ text: String, _ field: String) throws -> String {
        guard (1...64).contains(text.utf8.count),
            text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "- _".contains($0)) })
        else {
            throw invalid(field, "a code: letters, digits, blanks and dashes")
        }
        return text
    }
}
