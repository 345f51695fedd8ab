import GateModel
import GateStore
import Logging

/// The provider's word holds for a quarter of an hour: then it is asked again with the refresh token it gave, so that a group
/// that was taken away is seen here by then. Where it gave none, the session ends and the browser goes through the provider
/// again.
extension OpenIDSignIn {
    static let vouchedFor = Duration.seconds(900)
    /// Asked this long after the last time; what is left of the quarter is for a provider that can't be asked at once.
    static let askAgainAfter = Duration.seconds(600)
    /// In one round, and at a time.
    static let roundLimit = 256
    static let concurrent = 4

    /// Asks about everybody who is due; to be called again and again.
    func askAgain() async throws {
        let now = dependencies.now()
        let (issuer, due) = (settings.issuer, now - Self.askAgainAfter)
        let (identities, hasIdle) = try await dependencies.database.read { tx in
            (
                try tx.identitiesToAsk(of: issuer, checkedBefore: due, at: now, limit: Self.roundLimit),
                try tx.hasIdleRefreshTokens(checkedBefore: due, at: now)
            )
        }
        if hasIdle {
            try await dependencies.database.write { tx in try tx.forgetIdleRefreshTokens(checkedBefore: due, at: now) }
        }
        guard !identities.isEmpty, let provider = try? await provider() else { return }
        await withTaskGroup(of: Bool.self) { group in
            var rest = identities[...]
            for _ in 0..<Self.concurrent {
                guard let identity = rest.popFirst() else { break }
                group.addTask { await self.ask(about: identity, provider) }
            }
            // One that can't be asked about: the provider is away, and the next round begins with this one.
            for await isAnswered in group where isAnswered {
                guard let identity = rest.popFirst() else { continue }
                group.addTask { await self.ask(about: identity, provider) }
            }
        }
    }

    /// False when the provider couldn't be asked.
    private func ask(about id: ID<OutsideIdentity>, _ provider: ProviderDescription) async -> Bool {
        do {
            guard
                let sealed = try await dependencies.database.read({ tx in try tx.refreshToken(of: id) }),
                let token = unsealed(sealed, of: id)
            else { return true }
            let call = ProviderTokenCall(settings: settings, outbound: outbound, logger: dependencies.logger)
            switch try await call.ask(.refresh(token), at: provider) {
            case .unavailable: return false
            case .refused: try await end(id, reason: "refresh")
            case .given(let given):
                if let token = given.refreshToken {
                    // First of all: the one before may be good no more.
                    let sealed = try sealing(token, id)
                    try await dependencies.database.write { tx in try tx.setRefreshToken(sealed, of: id) }
                }
                try await heard(try await claimant(given, at: provider, call), about: id)
            }
            return true
        } catch is CancellationError {
            return false
        } catch ControlError.providerUnavailable {
            return false
        } catch let fault as WebTokenFault {
            do { try await end(id, reason: fault.rawValue) } catch { return false }
            return true
        } catch {
            dependencies.logger.warning(
                "what an identity provider said could not be stored", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// Whom the answer is about: by its ID token, which a refresh need not bring (OpenID Connect Core 1.0, section 12.2), or by
    /// what the provider says of the access token's holder. Throws `WebTokenFault`.
    private func claimant(
        _ given: ProviderTokenCall.Given, at provider: ProviderDescription, _ call: ProviderTokenCall
    ) async throws -> OutsideAccounts.Claimant? {
        if given.idToken != nil { return try await claimant(given.idToken, nonce: nil) }
        guard let url = provider.userInfo, let token = given.accessToken else { return nil }
        guard let claims = try await call.claims(by: token, at: url) else { throw ControlError.providerUnavailable }
        guard let subject = claims.text("sub").flatMap({ OutsideSubject(rawValue: $0) }) else {
            throw WebTokenFault.subject
        }
        return claimant(subject, claims)
    }

    private func heard(_ claimant: OutsideAccounts.Claimant?, about id: ID<OutsideIdentity>) async throws {
        let now = dependencies.now()
        let accounts = OutsideAccounts(dependencies: dependencies)
        let settled: OutsideAccounts.Settled?
        do {
            settled = try await dependencies.database.write { tx in
                guard let (identity, user) = try tx.identity(id) else { return nil }
                guard let claimant else {
                    // Their groups are unknown, so the word about them isn't renewed and their sessions run out.
                    if identity.givesRole {
                        try tx.setRefreshToken(nil, of: id)
                    } else {
                        try tx.noteVouched(id, at: now, until: now + Self.vouchedFor)
                    }
                    return nil
                }
                guard identity.subject == claimant.subject.rawValue else { throw WebTokenFault.subject }
                let settled = try accounts.follow(claimant, identity, user, source: "", at: now, in: tx)
                if settled.refusal == nil { try tx.noteVouched(id, at: now, until: now + Self.vouchedFor) }
                return settled
            }
        } catch let error as StoreError {
            dependencies.settleUnknown()
            throw error
        }
        guard let settled else { return }
        try await accounts.finish(settled)
        if settled.refusal != nil { try await end(id, reason: "no-role") }
    }

    /// The provider doesn't stand by them any more.
    private func end(_ id: ID<OutsideIdentity>, reason: String) async throws {
        let now = dependencies.now()
        let ended = try await dependencies.database.write { [dependencies] tx -> [ID<Session>] in
            try tx.setRefreshToken(nil, of: id)
            let ended = try tx.endSessions(of: id, at: now)
            if !ended.isEmpty, let (_, user) = try tx.identity(id) {
                try tx.appendAudit(
                    dependencies.ownEvent(
                        .sessionRevoked, tenant: user.tenant, subject: "user:\(user.id)", at: now,
                        details: [
                            ("count", String(ended.count)), ("by", "identity-provider"), ("reason", reason),
                        ]))
            }
            return ended
        }
        sessions.ended(ended)
    }
}
