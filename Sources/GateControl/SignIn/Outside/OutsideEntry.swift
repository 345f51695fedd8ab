import GateModel
import GateStore

/// How a sign-in by a provider's word begins its session.
struct OutsideOpening: Sendable {
    let method: Session.Method
    /// Until when that word holds, from now.
    let vouchedUntil: @Sendable (Timestamp) -> Timestamp
    var refreshToken: Secret<String>?
    /// What may be completed once, and when that needn't be remembered any more.
    var spends: (digest: CredentialDigest, until: Timestamp)?
}

/// Lets somebody in whom a provider vouches for: account, role and session in one transaction.
struct OutsideEntry: Sendable {
    static let column = "outside_identity.refresh_token"

    let dependencies: ControlDependencies
    let sessions: SessionService
    let masterKey: MasterKey

    private enum Verdict: Sendable {
        case signedIn(SignedIn, displaced: [ID<Session>])
        case secondFactor(Secret<String>)
        case refused(ControlError)
    }

    /// An account with a second factor of its own is asked for that as well: its owner chose it, and how the provider
    /// proved who they are is the provider's word only.
    func enter(
        _ claimant: OutsideAccounts.Claimant, _ opening: OutsideOpening, source: String, client: Label
    ) async throws -> SignInService.Outcome {
        let now = dependencies.now()
        let accounts = OutsideAccounts(dependencies: dependencies)
        let minted = MintedCredential(.pendingSignIn)
        let settled: OutsideAccounts.Settled
        let verdict: Verdict
        do {
            (settled, verdict) = try await dependencies.database.write { [sessions, masterKey] tx in
                if let spends = opening.spends, try !tx.spendSignIn(spends.digest, until: spends.until) {
                    throw ControlError.signInNotBegun
                }
                let settled = try accounts.settle(claimant, source: source, at: now, in: tx)
                if let refusal = settled.refusal { return (settled, .refused(refusal)) }
                try tx.noteSignIn(settled.identity, at: now)
                if let token = opening.refreshToken {
                    let sealed = try masterKey.seal(Array(token.reveal().utf8), at: Self.place(settled.identity))
                    try tx.setRefreshToken(sealed, of: settled.identity)
                }
                let voucher = Session.Voucher(identity: settled.identity, until: opening.vouchedUntil(now))
                guard try !tx.hasConfirmedTOTP(settled.user.id) else {
                    try tx.insertPendingSignIn(
                        digest: minted.digest, user: settled.user, method: opening.method, voucher: voucher, at: now,
                        expires: now + SignInService.pendingLifetime)
                    return (settled, .secondFactor(minted.text))
                }
                let begun = try sessions.begin(
                    settled.user, method: opening.method, voucher: voucher, secondFactorAt: nil, source: source,
                    client: client, at: now, in: tx)
                return (settled, .signedIn(begun.signedIn, displaced: begun.displaced))
            }
        } catch let error as StoreError {
            dependencies.settleUnknown()
            throw error
        } catch let error as ControlError {
            throw refused(error, opening.method, source)
        }
        try await accounts.finish(settled)
        switch verdict {
        case .signedIn(let signedIn, let displaced):
            sessions.ended(displaced)
            return .signedIn(signedIn)
        case .secondFactor(let pending): return .secondFactor(pending: pending)
        case .refused(let error): throw refused(error, opening.method, source, of: settled.user.id)
        }
    }

    static func place(_ identity: ID<OutsideIdentity>) -> MasterKey.Place { .init(column: column, row: identity.text) }

    private func refused(
        _ error: ControlError, _ method: Session.Method, _ source: String, of user: ID<User>? = nil
    ) -> ControlError {
        let reason: String
        switch error {
        case .noRole: reason = "no-role"
        case .accountDisabled: reason = "disabled-user"
        case .addressNotAllowed: reason = "address"
        case .signInNotBegun: reason = "state-used"
        default: return error
        }
        dependencies.refusals.note(
            .init(
                kind: method.rawValue, reason: reason, source: source, credential: user.map { "user:\($0)" } ?? ""))
        return error
    }
}
