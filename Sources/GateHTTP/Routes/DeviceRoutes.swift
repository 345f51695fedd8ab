import GateControl
import GateModel
import GateWire
import HTTPTypes
import Hummingbird

/// Device authorization (RFC 8628), in this API's own shapes.
struct DeviceRoutes {
    let services: GateServices
    let root: String

    func add(to book: RouteBook) {
        let (devices, browser) = (services.signIn.devices, services.browser)
        book.open(.post, "\(root)/auth/device") { request, context in
            let body = try await request.decode(BeginDeviceRequest.self)
            guard browser.allowsSessions else {
                throw Problem(
                    .signInUnavailable,
                    "Nobody can sign in to approve this: that needs https, or a loopback address (--panel-url).")
            }
            let begun = try await devices.begin(
                client: try Field.label(body.clientName, "client_name"), scopes: try Field.scopes(body.scopes),
                challenge: try Field.code(body.codeChallenge, "code_challenge"), source: context.source)
            return JSONAnswer(
                .ok,
                DeviceBody(
                    deviceCode: begun.deviceCode.reveal(), userCode: begun.userCode,
                    verificationURI: "\(browser.text)/device",
                    expiresIn: Int(DeviceService.lifetime.components.seconds),
                    interval: Int(DeviceService.interval.components.seconds)))
        }
        book.open(.post, "\(root)/auth/device/token") { request, context in
            let body = try await request.decode(DeviceTokenRequest.self)
            let (token, text, _) = try await devices.redeem(
                deviceCode: try Field.code(body.deviceCode, "device_code"),
                verifier: try Field.verifier(body.codeVerifier),
                source: context.source)
            return JSONAnswer(.created, TokenBody(token, text: text.reveal()))
        }
        book.session(.post, "\(root)/auth/device/lookup") { request, context in
            let body = try await request.decode(LookUpDeviceRequest.self)
            let seen = try await devices.look(
                userCode: try Field.code(body.userCode, "user_code"), by: context.caller)
            return JSONAnswer(.ok, WaitingDeviceBody(seen.device, scopes: seen.scopes, needsProof: seen.needsProof))
        }
        book.session(.post, "\(root)/auth/device/decision") { request, context in
            let body = try await request.decode(DecideDeviceRequest.self)
            let seen = try await devices.decide(
                userCode: try Field.code(body.userCode, "user_code"), approves: body.approve,
                proof: .init(
                    password: try body.password.map { try Field.password($0, "password") },
                    code: try body.totp.map { try Field.code($0, "totp") }),
                by: context.caller)
            return JSONAnswer(.ok, WaitingDeviceBody(seen.device, scopes: seen.scopes, needsProof: seen.needsProof))
        }
    }
}

extension Field {
    /// RFC 7636, section 4.1.
    static func verifier(_ text: String) throws -> String {
        guard (43...128).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw invalid("code_verifier", "43 to 128 characters")
        }
        return text
    }
}
