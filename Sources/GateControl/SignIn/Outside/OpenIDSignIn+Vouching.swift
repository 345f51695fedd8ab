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
            case .given(let given): try await heard(given, about: id)
            }
            return true
        } catch is CancellationError {
            return false
        } catch ControlError.providerUnavailable {
            return false
        } catch {
            dependencies.logger.warning(
                "what an identity provider said could not be stored", metadata: ["error": "\(error)"])
            return false
        }
    }

    private func heard(_ given: ProviderTokenCall.Given, about id: ID<OutsideIdentity>) async throws {
        let claimant: OutsideAccounts.Claimant?
        do {
            // Not every provider says again who somebody is (OpenID Connect Core 1.0, section 12.2).
            claimant = given.idToken == nil ? nil : try await self.claimant(given.idToken, nonce: nil)
        } catch let fault as WebTokenFault {
            return try await end(id, reason: fault.rawValue)
        }
        let now = dependencies.now()
        let accounts = OutsideAccounts(dependencies: dependencies)
        let settled: OutsideAccounts.Settled?
        do {
            settled = try await dependencies.database.write { [sealing] tx in
                guard let (identity, user) = try tx.identity(id) else { return nil }
                if let token = given.refreshToken {
                    try tx.setRefreshToken(try sealing(token, id), of: id)
                }
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
        } catch let fault as WebTokenFault {
            return try await end(id, reason: fault.rawValue)
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
