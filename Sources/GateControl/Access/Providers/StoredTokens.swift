import GateModel
import GateStore

/// Personal and service tokens.
struct StoredTokens: TokenProvider {
    let name = "tokens"
    private let lookup: StoredCredentials

    init(_ dependencies: ControlDependencies) { lookup = StoredCredentials(dependencies) }

    func verify(_ credential: PresentedCredential) async throws -> TokenVerdict? {
        guard credential.kind == .personalToken || credential.kind == .serviceToken else { return nil }
        return try lookup.verdict(
            credential, provider: name,
            read: { tx, now in
                try tx.liveToken(digest: credential.digest, at: now).map { found in
                    .init(
                        principal: .user(
                            found.user, by: .token(found.token.id), scopes: found.token.scopes(of: found.user.role)),
                        expiresAt: found.token.expiresAt, allowFrom: found.token.allowFrom,
                        ownerAllowFrom: found.user.allowFrom)
                }
            },
            dead: { tx in try tx.deadToken(digest: credential.digest).map { "token:\($0.id)" } })
    }
}
