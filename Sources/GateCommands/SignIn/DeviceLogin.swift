import GateClient
import GateModel
import GateWire
import Glibc

/// Asks the gateway for a token that a person approves in a browser, on whichever computer (RFC 8628).
struct DeviceLogin {
    let client: GatewayClient
    /// Nil: what running machines takes.
    let scopes: [String]?

    /// Waits until somebody has answered or the code is too old.
    func token() async throws -> Secret<String> {
        let verifier = CodeVerifier()
        let device = try await client.beginDevice(
            BeginDeviceRequest(
                clientName: "tidegate on \(Self.host)", codeChallenge: verifier.challenge, scopes: scopes))
        // On the standard error, as a whole: the standard output is for what a script reads.
        Terminal.printError(
            """
            To sign in, open this address in a browser, on any computer:
                \(TerminalText.neutralised(device.verificationURI))
            and type this code there:
                \(TerminalText.neutralised(device.userCode))
            Waiting; the code is good for \(max(1, device.expiresIn / 60)) minutes.
            """)
        var interval = min(max(device.interval, 1), 60)
        let end = ContinuousClock.now + .seconds(min(max(device.expiresIn, 1), 3_600))
        while ContinuousClock.now < end {
            try await Task.sleep(for: .seconds(interval))
            do {
                let answer = try await client.deviceToken(
                    DeviceTokenRequest(deviceCode: device.deviceCode, codeVerifier: verifier.text))
                guard let token = answer.token else {
                    throw CommandFailure(.refused, "the gateway's answer holds no token")
                }
                return Secret(token)
            } catch let error as GatewayClientError {
                switch error.code {
                case .authorizationPending: continue
                case .slowDown: interval = min(interval + 5, 60)
                case .accessDenied: throw CommandFailure(.refused, "the request was turned down")
                case .expiredToken: throw CommandFailure(.refused, "nobody answered in time; begin again")
                // A gateway that restarts meanwhile is no reason to give up.
                case nil where error.status == nil, .databaseUnavailable: continue
                default: throw error
                }
            }
        }
        throw CommandFailure(.refused, "nobody answered in time; begin again")
    }

    /// What this computer calls itself, cut to what a label may hold.
    static var host: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "an unnamed computer" }
        let name = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let plain = name.filter { $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0)) }.prefix(64)
        return plain.isEmpty ? "an unnamed computer" : String(plain)
    }
}
