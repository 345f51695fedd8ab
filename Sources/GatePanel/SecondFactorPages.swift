import GateControl
import GateHTTP
import GateModel
import GateWire
import Hummingbird

/// One's own second factor: not there, offered, or on. Exactly one of the three is set.
struct SecondFactorPage: Page {
    static let template = PageTemplate.secondFactor

    struct Off: Sendable {
        let asksForPassword: Bool
    }

    struct Offered: Sendable {
        struct Fresh: Sendable {
            /// Base32, in groups of four.
            let secret: String
            let uri: String
            let account: String
        }

        /// Shown once: the gateway doesn't give it out again.
        let fresh: Fresh?
    }

    struct On: Sendable {
        let codesLeft: Int
    }

    let frame: PageFrame
    var fault: PageFault?
    var notice: String?
    var off: Off?
    var offered: Offered?
    var on: On?
}

/// Recovery codes, shown once.
struct RecoveryCodesPage: Page {
    static let template = PageTemplate.recoveryCodes

    let frame: PageFrame
    let words: String
    let codes: [String]
}

extension Panel {
    private static let path = "/second-factor"

    func addSecondFactor(to pages: PageBook) {
        let secondFactor = signIn.secondFactor
        pages.person(.get, Self.path, returnTo: Self.path) { request, _, visitor in
            answer(try await present(visitor, notice: notice(request, .secondFactorOff)))
        }
        // What is shown once is the answer of its form, and no redirect: the gateway couldn't show it a second time.
        pages.person(.post, "\(Self.path)/offer", returnTo: Self.path) { _, context, visitor in
            try await failing(visitor) {
                let offer = try await secondFactor.offer(
                    password: try context.form.filled("password").map { try Field.password($0, "password") },
                    by: visitor.caller)
                let fresh = SecondFactorPage.Offered.Fresh(
                    secret: Self.grouped(offer.seed.reveal()), uri: offer.uri.reveal(), account: visitor.user.name)
                return answer(SecondFactorPage(frame: frame(visitor), offered: .init(fresh: fresh)))
            }
        }
        pages.person(.post, "\(Self.path)/confirm", returnTo: Self.path) { _, context, visitor in
            try await failing(visitor, isOffered: true) {
                let codes = try await secondFactor.confirm(
                    code: try Field.code(context.form["code"], "code"), by: visitor.caller)
                return answer(codesPage(codes, "The second factor is on. It is asked for from now on.", visitor))
            }
        }
        pages.person(.post, "\(Self.path)/recovery-codes", returnTo: Self.path) { _, context, visitor in
            try await failing(visitor) {
                let codes = try await secondFactor.replaceRecoveryCodes(
                    code: try Field.code(context.form["code"], "code"), by: visitor.caller)
                return answer(codesPage(codes, "The ones before no longer work.", visitor))
            }
        }
        pages.person(.post, "\(Self.path)/disable", returnTo: Self.path) { _, context, visitor in
            try await failing(visitor) {
                try await secondFactor.disable(
                    code: try Field.code(context.form["code"], "code"), by: visitor.caller)
                return .seeOther("\(Self.path)?notice=\(PageNotice.secondFactorOff.rawValue)")
            }
        }
    }

    /// Runs `work`; what it refuses with is shown on the page as it stands then.
    private func failing(
        _ visitor: Visitor, isOffered: Bool = false, _ work: () async throws -> Response
    ) async throws -> Response {
        do { return try await work() } catch {
            let told = try told(
                error, hints: [ProblemHint(code: .signInRefused, words: "That isn't your present password.")])
            var page = try await present(visitor)
            page.fault = told.fault
            // The key isn't shown again, but the entry made of it is still good.
            if isOffered, page.off != nil, told.problem.code != .notPossible {
                page.off = nil
                page.offered = .init(fresh: nil)
            }
            return answer(page, problem: told.problem)
        }
    }

    private func present(_ visitor: Visitor, notice: PageNotice? = nil) async throws -> SecondFactorPage {
        let status = try await signIn.passwords.status(by: visitor.caller)
        var page = SecondFactorPage(frame: frame(visitor), notice: notice?.words)
        if status.hasSecondFactor {
            page.on = .init(codesLeft: status.recoveryCodesLeft)
        } else {
            page.off = .init(asksForPassword: status.hasPassword)
        }
        return page
    }

    private func codesPage(_ codes: [Secret<String>], _ words: String, _ visitor: Visitor) -> RecoveryCodesPage {
        RecoveryCodesPage(frame: frame(visitor), words: words, codes: codes.map { $0.reveal() })
    }

    private func frame(_ visitor: Visitor) -> PageFrame { frame("Second factor", visitor, at: Self.path) }

    private static func grouped(_ text: String) -> String {
        stride(from: 0, to: text.count, by: 4).map { String(text.dropFirst($0).prefix(4)) }.joined(separator: " ")
    }
}
