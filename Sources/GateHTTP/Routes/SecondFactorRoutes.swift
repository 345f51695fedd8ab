import GateControl
import GateModel
import GateWire
import HTTPTypes
import Hummingbird

/// One's own second factor; and an administrator's way to take another's away.
struct SecondFactorRoutes {
    let services: GateServices
    let root: String

    func add(to book: RouteBook) {
        let secondFactor = services.signIn.secondFactor
        book.person(.tokens, .post, "\(root)/auth/totp") { request, context in
            let body = try await request.decode(OfferTOTPRequest.self)
            let offer = try await secondFactor.offer(
                password: try body.password.map { try Field.password($0, "password") }, by: context.caller)
            return JSONAnswer(.created, TOTPOfferBody(secret: offer.seed.reveal(), uri: offer.uri.reveal()))
        }
        book.person(.tokens, .post, "\(root)/auth/totp/confirm") { request, context in
            let body = try await request.decode(TOTPCodeRequest.self)
            let codes = try await secondFactor.confirm(code: try Field.code(body.code, "code"), by: context.caller)
            return JSONAnswer(.ok, RecoveryCodesBody(recoveryCodes: codes.map { $0.reveal() }))
        }
        book.person(.tokens, .post, "\(root)/auth/totp/recovery-codes") { request, context in
            let body = try await request.decode(TOTPCodeRequest.self)
            let codes = try await secondFactor.replaceRecoveryCodes(
                code: try Field.code(body.code, "code"), by: context.caller)
            return JSONAnswer(.ok, RecoveryCodesBody(recoveryCodes: codes.map { $0.reveal() }))
        }
        book.person(.tokens, .post, "\(root)/auth/totp/disable") { request, context in
            let body = try await request.decode(TOTPCodeRequest.self)
            try await secondFactor.disable(code: try Field.code(body.code, "code"), by: context.caller)
            return HTTPResponse.Status.noContent
        }
        book.scoped(.accessWrite, .post, "\(root)/auth/totp/reset") { request, context in
            let body = try await request.decode(ResetTOTPRequest.self)
            try await secondFactor.reset(
                userNamed: try Field.name(body.username, "username", as: UserName.self).rawValue, by: context.caller)
            return HTTPResponse.Status.noContent
        }
    }
}
