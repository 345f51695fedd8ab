public import GateModel
import GateStore

/// Personal tokens of the calling user.
public struct TokenService: Sendable {
    /// Unrevoked, unexpired tokens one user may hold.
    public static let limit = 100
    public static let defaultLifetime = Duration.seconds(90 * 86_400)
    public static let lifetimes: ClosedRange<Int> = 60...31_536_000

    private let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    /// The user a new token acts for: the caller, or the first administrator for the operator on the gateway's host.
    private func owner(of caller: Caller, in tx: any Transaction) throws -> User {
        switch caller.principal {
        case .user(let user, _): return user
        case .localAdministrator(let tenant):
            guard let user = try tx.user(named: SetupService.administratorName, in: tenant) else {
                throw ControlError.forbidden
            }
            return user
        case .machine: throw ControlError.forbidden
        }
    }

    public func add(
        label: Label, lifetime: Duration, by caller: Caller
    ) async throws -> (token: AccessToken, text: Secret<String>) {
        try caller.requireAdministrator()
        let minted = MintedCredential(.personalToken)
        let now = dependencies.now()
        let token = try await dependencies.database.write { [self] tx in
            let owner = try owner(of: caller, in: tx)
            guard try tx.liveTokenCount(of: owner.id, at: now) < Self.limit else {
                throw ControlError.limitReached("A user may hold \(Self.limit) tokens; revoke one first.")
            }
            let token = AccessToken(
                id: .random(), tenant: owner.tenant, user: owner.id, label: label.rawValue, createdAt: now,
                expiresAt: now + lifetime)
            try tx.insertToken(token, digest: minted.digest)
            try tx.appendAudit(
                dependencies.event(
                    "token.added", by: caller, subject: "token:\(token.id)", at: now,
                    details: [("label", token.label), ("expires_at", (now + lifetime).rfc3339)]))
            return token
        }
        return (token, minted.text)
    }

    public func list(by caller: Caller) async throws -> [AccessToken] {
        try caller.requireAdministrator()
        return try await dependencies.database.read { [self] tx in try tx.tokens(of: owner(of: caller, in: tx).id) }
    }

    /// Idempotent for a token that was revoked before; throws `tokenNotFound` for one that never was this user's.
    public func revoke(_ id: ID<AccessToken>, by caller: Caller) async throws {
        try caller.requireAdministrator()
        let now = dependencies.now()
        defer {
            dependencies.credentials.drop {
                if case .user(_, id) = $0 { true } else { false }
            }
        }
        try await dependencies.database.write { [self] tx in
            let owner = try owner(of: caller, in: tx)
            guard try tx.revokeToken(id, of: owner.id, at: now) else {
                guard try tx.hasToken(id, of: owner.id) else { throw ControlError.tokenNotFound }
                return
            }
            try tx.appendAudit(dependencies.event("token.revoked", by: caller, subject: "token:\(id)", at: now))
        }
    }
}
