import FoundationEssentials
import GateModel
import Logging

/// The provider's token endpoint (RFC 6749, sections 4.1.3 and 6).
struct ProviderTokenCall: Sendable {
    /// Longest refresh or access token taken, in bytes.
    static let tokenLimit = 4_096

    enum Grant: Sendable {
        case code(Secret<String>, verifier: String, redirect: String)
        case refresh(Secret<String>)
    }

    /// What it gave.
    struct Given: Sendable {
        let idToken: Secret<String>?
        let refreshToken: Secret<String>?
        let accessToken: Secret<String>?
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

    /// What the provider says now of whom that access token is about (OpenID Connect Core 1.0, section 5.3): for one that says
    /// it in no ID token. Nil: it couldn't be asked, or said nothing of use.
    func claims(
        by token: Secret<String>, at url: OutboundURL
    ) async throws(CancellationError) -> WebTokenClaims? {
        do throws(OutboundError) {
            let response = try await outbound.send(
                OutboundRequest(
                    .openIDToken, .get, url,
                    headers: [("Authorization", "Bearer \(token.reveal())"), ("Accept", "application/json")]))
            guard response.status == 200 else { return nil }
            return try? JSONDecoder().decode(WebTokenClaims.self, from: Data(response.body))
        } catch .cancelled {
            throw CancellationError()
        } catch {
            return nil
        }
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
        func usable(_ text: String?) -> Secret<String>? {
            // One of them goes into a header: what may stand there (RFC 6750, section 2.1) and nothing else.
            guard let text, (1...Self.tokenLimit).contains(text.utf8.count),
                text.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
            else { return nil }
            return Secret(text)
        }
        return .given(
            Given(
                idToken: tokens.idToken.map { Secret($0) }, refreshToken: usable(tokens.refreshToken),
                accessToken: usable(tokens.accessToken)))
    }

    private func warn(_ reason: String, _ provider: ProviderDescription) {
        logger.warning(
            "an identity provider gave no token",
            metadata: ["gate.provider": "\(provider.token.origin)", "gate.reason": "\(reason)"])
    }

    private struct Tokens: Decodable {
        let idToken: String?
        let refreshToken: String?
        let accessToken: String?

        enum CodingKeys: String, CodingKey {
            case idToken = "id_token"
            case refreshToken = "refresh_token"
            case accessToken = "access_token"
        }
    }

    private struct Refusal: Decodable {
        let error: String?
    }
}
