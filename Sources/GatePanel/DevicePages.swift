import GateControl
import GateHTTP
import GateModel
import GateWire
import Hummingbird

/// Where a person types the code that a program shows (RFC 8628, section 3.3). No address fills it in: whoever is sent a
/// link has to type, and to read, before anything can happen.
struct DevicePage: Page {
    static let template = PageTemplate.device

    let frame: PageFrame
    let fault: PageFault?
    let notice: String? = nil
}

/// Which program asks, from where and since when, and what it would get: a phished code shows here.
struct DeviceRequestPage: Page {
    static let template = PageTemplate.deviceRequest

    struct Proof: Sendable {
        /// Of the second factor; else the password.
        let isCode: Bool
    }

    let frame: PageFrame
    let fault: PageFault?
    let notice: String? = nil
    let code: String
    let client: String
    let from: String
    /// It asks from another address than the browser's.
    let isElsewhere: Bool
    let browserSource: String
    let asked: Moment
    let ends: Moment
    let scopes: [ScopeWords]
    let proof: Proof?
}

/// The answer was given.
struct DecidedPage: Page {
    static let template = PageTemplate.decided

    let frame: PageFrame
    let fault: PageFault? = nil
    let notice: String?
}

extension Panel {
    private static let path = "/device"

    func addDevices(to pages: PageBook) {
        let devices = signIn.devices
        pages.person(.get, Self.path, returnTo: Self.path) { request, _, visitor in
            if let notice = notice(request, .approved, .denied) {
                let title = notice == .approved ? "Approved" : "Denied"
                return answer(
                    DecidedPage(frame: frame(title, visitor, at: Self.path), notice: notice.words))
            }
            return answer(codePage(visitor))
        }
        pages.person(.post, Self.path, returnTo: Self.path) { _, context, visitor in
            do {
                return answer(
                    try await requestPage(try Field.code(context.form["code"], "code"), context.source, visitor))
            } catch {
                return try refused(error, visitor)
            }
        }
        pages.person(.post, "\(Self.path)/decision", returnTo: Self.path) { _, context, visitor in
            let form = context.form
            let isApproved: Bool
            switch form["decision"] {
            case "approve": isApproved = true
            case "deny": isApproved = false
            default: throw Problem(.invalidField, "Say whether the program is approved or denied.")
            }
            var code = ""
            do {
                code = try Field.code(form["code"], "code")
                _ = try await devices.decide(
                    userCode: code, approves: isApproved,
                    proof: .init(
                        password: try form.filled("password").map { try Field.password($0, "password") },
                        code: try form.filled("totp").map { try Field.code($0, "totp") }),
                    by: visitor.caller)
                let notice = isApproved ? PageNotice.approved : .denied
                return .seeOther("\(Self.path)?notice=\(notice.rawValue)")
            } catch ControlError.userCodeUnknown {
                return try refused(ControlError.userCodeUnknown, visitor)
            } catch {
                let told = try told(
                    error, hints: [ProblemHint(code: .signInRefused, words: "That isn't your present password.")])
                return answer(
                    try await requestPage(code, context.source, visitor, fault: told.fault), problem: told.problem)
            }
        }
    }

    private func codePage(_ visitor: Visitor, fault: PageFault? = nil) -> DevicePage {
        DevicePage(frame: frame("Sign a program in", visitor, at: Self.path), fault: fault)
    }

    private func refused(_ error: any Error, _ visitor: Visitor) throws -> Response {
        let told = try told(
            error,
            hints: [
                ProblemHint(
                    code: .userCodeNotFound,
                    words: "Look at the code again; after ten minutes the program has to begin anew.")
            ])
        return answer(codePage(visitor, fault: told.fault), problem: told.problem)
    }

    private func requestPage(
        _ code: String, _ source: String, _ visitor: Visitor, fault: PageFault? = nil
    ) async throws -> DeviceRequestPage {
        let seen = try await signIn.devices.look(userCode: code, by: visitor.caller)
        let status = try await signIn.passwords.status(by: visitor.caller)
        let now = now()
        let asksForProof = seen.needsProof && (status.hasSecondFactor || status.hasPassword)
        return DeviceRequestPage(
            frame: frame("Let this program act as you?", visitor, at: Self.path), fault: fault, code: code,
            client: seen.device.client, from: seen.device.source,
            isElsewhere: sourceGroup(source) != seen.device.source, browserSource: source,
            asked: Moment(seen.device.createdAt, now: now), ends: Moment(seen.device.expiresAt, now: now),
            scopes: ScopeWords.all(seen.scopes), proof: asksForProof ? .init(isCode: status.hasSecondFactor) : nil)
    }
}
