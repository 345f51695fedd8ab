import FoundationEssentials
import GateModel
import Logging

/// The provider's token endpoint (RFC 6749, sections 4.1.3 and 6).
struct ProviderTokenCall: Sendable {
    /// Longest refresh token kept, in bytes.
    static let refreshLimit = 4_096

    enum Grant: Sendable {
        case code(Secret<String>, verifier: String, redirect: String)
        case refresh(Secret<String>)
    }

    /// What it gave.
    struct Given: Sendable {
        let idToken: Secret<String>?
        let refreshToken: Secret<String>?
    }

    enum Answer: Sendable {
        case given(Given)
        /// The code or the refresh token is used, expired, withdrawn or not ours.
        case refused
        case unavailable
    }

    let settings: OpenIDSettings
    let outbound: any OutboundSender
    let logger: Logger

    func ask(_ grant: Grant, at provider: ProviderDescription) async throws(CancellationError) -> Answer {
        var form: [(String, String)]
        switch grant {
        case .code(let code, let verifier, let redirect):
            form = [
                ("grant_type", "authorization_code"), ("code", code.reveal()), ("redirect_uri", redirect),
                ("code_verifier", verifier),
            ]
        case .refresh(let token): form = [("grant_type", "refresh_token"), ("refresh_token", token.reveal())]
        }
        var headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")]
        if let secret = settings.clientSecret, !provider.takesSecretInBody {
            // Both are encoded first (RFC 6749, section 2.3.1).
            let pair = "\(percentEncoded(settings.clientID)):\(percentEncoded(secret.reveal()))"
            headers.append(("Authorization", "Basic \(Data(pair.utf8).base64EncodedString())"))
        } else {
            form.append(("client_id", settings.clientID))
            if let secret = settings.clientSecret { form.append(("client_secret", secret.reveal())) }
        }
        let body = form.map { "\($0.0)=\(percentEncoded($0.1))" }.joined(separator: "&")
        let response: OutboundResponse
        do throws(OutboundError) {
            response = try await outbound.send(
                OutboundRequest(.openIDToken, .post, provider.token, headers: headers, body: Array(body.utf8)))
        } catch .cancelled {
            throw CancellationError()
        } catch {
            warn("\(error)", provider)
            return .unavailable
        }
        return read(response, from: provider)
    }

    private func read(_ response: OutboundResponse, from provider: ProviderDescription) -> Answer {
        let data = Data(response.body)
        guard response.status == 200 else {
            let code = (try? JSONDecoder().decode(Refusal.self, from: data))?.error
            // Not every provider calls a bad code `invalid_grant` (RFC 6749, section 5.2), but these are about the two
            // programs, and 401, 408, 429 and 500 are no word about a code either.
            let isOurFault = code == "invalid_client" || code == "unauthorized_client"
            if response.status == 400 || response.status == 403, !isOurFault { return .refused }
            // The provider's text is somebody else's: only words of the standard are repeated.
            let known = [
                "invalid_client", "unauthorized_client", "invalid_request", "unsupported_grant_type", "invalid_scope",
            ]
            let reason = code.flatMap { known.contains($0) ? $0 : nil } ?? "no reason of RFC 6749"
            warn("it answers \(response.status), \(reason)", provider)
            return .unavailable
        }
        guard let tokens = try? JSONDecoder().decode(Tokens.self, from: data) else {
            warn("its answer isn't the JSON of RFC 6749, section 5.1", provider)
            return .unavailable
        }
        let refresh = tokens.refreshToken.flatMap {
            !$0.isEmpty && $0.utf8.count <= Self.refreshLimit ? Secret($0) : nil
        }
        return .given(Given(idToken: tokens.idToken.map { Secret($0) }, refreshToken: refresh))
    }

    private func warn(_ reason: String, _ provider: ProviderDescription) {
        logger.warning(
            "an identity provider gave no token",
            metadata: ["gate.provider": "\(provider.token.origin)", "gate.reason": "\(reason)"])
    }

    private struct Tokens: Decodable {
        let idToken: String?
        let refreshToken: String?

        enum CodingKeys: String, CodingKey {
            case idToken = "id_token"
            case refreshToken = "refresh_token"
        }
    }

    private struct Refusal: Decodable {
        let error: String?
    }
}
