public import GateModel
import GateStore
import Logging

/// Signing in with an OpenID provider: the authorization code flow with PKCE (OpenID Connect Core 1.0, section 3.1;
/// RFC 6749, 7636, 9207).
public struct OpenIDSignIn: Sendable {
    /// Longest parameter of an answer that is looked at, in bytes.
    static let parameterLimit = 4_096
    /// An ID token was made for the answer that it came with.
    static let oldestToken = Duration.seconds(600)

    let dependencies: ControlDependencies
    let settings: OpenIDSettings
    let outbound: any OutboundSender
    let sessions: SessionService
    private let masterKey: MasterKey
    private let description: PublishedCopy<ProviderDescription>
    private let keys: ProviderKeys

    init(
        _ dependencies: ControlDependencies, settings: OpenIDSettings, outbound: any OutboundSender,
        masterKey: MasterKey, sessions: SessionService, elapsed: @escaping @Sendable () -> ContinuousClock.Instant
    ) {
        self.dependencies = dependencies
        self.settings = settings
        self.outbound = outbound
        self.masterKey = masterKey
        self.sessions = sessions
        let logger = dependencies.logger
        let description = PublishedCopy("description", logger: logger, elapsed: elapsed) {
            () async throws(ProviderFault) -> ProviderDescription in
            let document = try await outbound.document(
                .openIDDiscovery, settings.url.appending(ProviderDescription.path))
            return try ProviderDescription(
                document, issuer: settings.issuer, isLoopback: settings.url.isLoopback)
        }
        self.description = description
        keys = ProviderKeys(outbound: outbound, logger: logger, elapsed: elapsed) {
            () async throws(ProviderFault) -> OutboundURL in
            do { return try await description.current().keys } catch is CancellationError {
                throw .cancelled
            } catch {
                throw .unusable("its description can't be had")
            }
        }
    }

    /// What a page may call the provider: its host.
    public var providerName: String { settings.url.host }

    /// Where the provider sends browsers back to, below `origin`, the address of the gateway's pages.
    public static func callback(origin: some StringProtocol) -> String { origin + "/api/v1/auth/oidc/callback" }

    /// Where the browser goes, and the cookie it takes along for ten minutes.
    public struct Beginning: Sendable {
        public let location: String
        public let cookie: Secret<String>
        public static let lifetime = BegunSignIn.lifetime
    }

    /// Throws `providerUnavailable`.
    public func begin(origin: some StringProtocol, returnTo: ReturnPath) async throws -> Beginning {
        let provider = try await description.current()
        let begun = BegunSignIn(returnTo: returnTo, at: dependencies.now(), masterKey: masterKey)
        let challenge = BaseEncoding.base64URL(CredentialDigest(of: begun.verifier).bytes)
        let parameters = [
            ("response_type", "code"), ("client_id", settings.clientID),
            ("redirect_uri", Self.callback(origin: origin)), ("scope", settings.scopes.joined(separator: " ")),
            ("state", begun.state), ("nonce", begun.nonce), ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ]
        let query = parameters.map { "\($0.0)=\(percentEncoded($0.1))" }.joined(separator: "&")
        let endpoint = provider.authorization.text
        return Beginning(
            location: endpoint + (endpoint.contains("?") ? "&" : "?") + query, cookie: begun.cookie)
    }

    /// What the browser brought back from the provider.
    public struct Answer: Sendable {
        let state: String?
        let code: Secret<String>?
        let issuer: String?
        let error: String?

        public init(state: String?, code: String?, issuer: String?, error: String?) {
            self.state = state
            self.code = code.map { Secret($0) }
            self.issuer = issuer
            self.error = error
        }
    }

    /// Who came in, and to which page.
    public struct Completed: Sendable {
        public let outcome: SignInService.Outcome
        public let returnTo: ReturnPath
    }

    /// The second half. `cookie` is what `begin` gave this browser. Throws `signInNotBegun`, `providerRefused`,
    /// `providerUnavailable`, `noRole`, `accountDisabled` and `addressNotAllowed`.
    public func complete(
        _ answer: Answer, cookie: String?, origin: some StringProtocol, source: String, client: Label
    ) async throws -> Completed {
        let now = dependencies.now()
        guard let cookie, let begun = BegunSignIn(cookie: cookie, at: now, masterKey: masterKey),
            let state = answer.state, begun.isState(state)
        else { throw refused(.signInNotBegun, "state", source) }
        let provider = try await description.current()
        // Before anything is sent anywhere: the code of another provider must not reach this one (RFC 9207).
        guard answer.issuer.map({ $0 == settings.issuer }) ?? !provider.namesItself else {
            throw refused(.providerRefused, "answer-of-another-issuer", source)
        }
        guard answer.error == nil else { throw refused(.providerRefused, "provider-error", source) }
        guard let code = answer.code, (1...Self.parameterLimit).contains(code.reveal().utf8.count) else {
            throw refused(.providerRefused, "no-code", source)
        }
        let digest = begun.digest
        guard try await !dependencies.database.read({ tx in try tx.isSpentSignIn(digest) }) else {
            throw refused(.signInNotBegun, "state-used", source)
        }
        let call = ProviderTokenCall(settings: settings, outbound: outbound, logger: dependencies.logger)
        let given: ProviderTokenCall.Given
        switch try await call.ask(
            .code(code, verifier: begun.verifier, redirect: Self.callback(origin: origin)), at: provider)
        {
        case .given(let tokens): given = tokens
        case .refused: throw refused(.providerRefused, "code", source)
        case .unavailable: throw ControlError.providerUnavailable
        }
        let claimant: OutsideAccounts.Claimant
        do {
            claimant = try await self.claimant(given.idToken, nonce: begun.nonce)
        } catch let fault as WebTokenFault {
            throw refused(.providerRefused, fault.rawValue, source)
        }
        let opening = OutsideOpening(
            method: .oidc, vouchedUntil: { $0 + Self.vouchedFor }, refreshToken: given.refreshToken,
            spends: (digest, begun.expiresAt))
        let outcome = try await OutsideEntry(dependencies: dependencies, sessions: sessions, masterKey: masterKey)
            .enter(claimant, opening, source: source, client: client)
        return Completed(outcome: outcome, returnTo: begun.returnTo)
    }

    /// Whom an ID token is about. `nonce` nil: one that a refresh gave. Throws `WebTokenFault`.
    func claimant(_ text: Secret<String>?, nonce: String?) async throws -> OutsideAccounts.Claimant {
        guard let text else { throw WebTokenFault.malformed }
        let claims = try await keys.verify(try WebToken(text.reveal()))
        let rules = WebTokenRules(
            issuer: settings.issuer, audience: .client(settings.clientID), oldest: Self.oldestToken, nonce: nonce)
        return claimant(try rules.check(claims, at: dependencies.now()), claims)
    }

    func claimant(_ subject: OutsideSubject, _ claims: WebTokenClaims) -> OutsideAccounts.Claimant {
        OutsideAccounts.Claimant(
            issuer: settings.issuer, subject: subject,
            role: settings.roles.role(of: claims.texts(settings.groupsClaim) ?? []), givesRole: true,
            names: [claims.text("preferred_username"), claims.text("email"), claims.text("name")].compactMap(\.self))
    }

    /// A refresh token as the store keeps it.
    var sealing: @Sendable (Secret<String>, ID<OutsideIdentity>) throws -> [UInt8] {
        { [masterKey] token, id in try masterKey.seal(Array(token.reveal().utf8), at: OutsideEntry.place(id)) }
    }

    /// Nil where the master key is another one: then the person signs in again.
    func unsealed(_ sealed: [UInt8], of id: ID<OutsideIdentity>) -> Secret<String>? {
        (try? masterKey.open(sealed, at: OutsideEntry.place(id)))
            .flatMap { String(validating: $0, as: UTF8.self) }.map { Secret($0) }
    }

    func provider() async throws -> ProviderDescription { try await description.current() }

    private func refused(_ error: ControlError, _ reason: String, _ source: String) -> ControlError {
        dependencies.refusals.note(.init(kind: "oidc", reason: reason, source: source, credential: ""))
        if error == .providerRefused {
            dependencies.logger.warning(
                "a sign-in by an identity provider was refused",
                metadata: ["gate.provider": "\(settings.url.origin)", "gate.reason": "\(reason)"])
        }
        return error
    }
}
