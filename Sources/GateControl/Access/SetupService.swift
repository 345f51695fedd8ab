public import GateModel
import GateStore

/// The first administrator: who they are, and the secret that buys their token once.
public struct SetupService: Sendable {
    public static let administratorName = "admin"
    static let bootstrapLabel = "bootstrap"
    public static let secretLifetime = Duration.seconds(86_400)
    /// Tokens written at first start; long enough to make a proper one with.
    public static let bootstrapLifetime = Duration.seconds(86_400)

    private let dependencies: ControlDependencies
    /// Called when the secret was used: what was written down of it can go.
    private let redeemed: @Sendable () -> Void

    public init(_ dependencies: ControlDependencies, redeemed: @escaping @Sendable () -> Void = {}) {
        self.dependencies = dependencies
        self.redeemed = redeemed
    }

    /// Makes the administrator if there is none. True when nobody can sign in yet.
    public func needsAdministrator() async throws -> Bool {
        let (now, tenant) = (dependencies.now(), dependencies.identity.tenant)
        return try await dependencies.database.write { [dependencies] tx in
            if try tx.user(named: Self.administratorName, in: tenant) == nil {
                let user = User(
                    id: .random(), tenant: tenant, name: Self.administratorName, role: .admin, createdAt: now)
                try tx.insertUser(user)
                try tx.appendAudit(dependencies.ownEvent(.userAdded, subject: "user:\(user.id)", at: now))
            }
            return try !tx.hasUsableAdministrator(at: now)
        }
    }

    /// A fresh set-up secret; the one before, if unused, is void.
    public func makeSecret() async throws -> Secret<String> {
        let minted = MintedCredential(.setupSecret)
        let (now, tenant) = (dependencies.now(), dependencies.identity.tenant)
        try await dependencies.database.write { [dependencies] tx in
            try tx.insertSetupSecret(digest: minted.digest, tenant: tenant, at: now, expires: now + Self.secretLifetime)
            try tx.appendAudit(
                dependencies.ownEvent(.setupOffered, subject: "gateway:\(dependencies.identity.gateway)", at: now))
        }
        return minted.text
    }

    /// Exchanges the secret for an administrator's token, once.
    public func redeem(_ secret: String, source: String) async throws -> (token: AccessToken, text: Secret<String>) {
        guard CredentialKind(shapeOf: secret) == .setupSecret else { throw refused(source) }
        let digest = CredentialDigest(of: secret)
        let now = dependencies.now()
        do {
            let minted = try await mint(label: "set-up", source: source, lifetime: TokenService.defaultLifetime) { tx in
                guard try tx.consumeSetupSecret(digest: digest, at: now) != nil else { throw ControlError.setupRefused }
            }
            redeemed()
            return minted
        } catch ControlError.setupRefused {
            throw refused(source)
        }
    }

    /// The token of `--bootstrap-token-file`. One made before it and never used is void: whoever should have got it didn't.
    public func makeBootstrapToken() async throws -> Secret<String> {
        let now = dependencies.now()
        let minted = try await mint(label: Self.bootstrapLabel, source: "", lifetime: Self.bootstrapLifetime) {
            [dependencies] tx in
            for token in try tx.revokeUnusedTokens(label: Self.bootstrapLabel, at: now) {
                try tx.appendAudit(dependencies.ownEvent(.tokenRevoked, subject: "token:\(token)", at: now))
            }
        }
        dependencies.credentials.dropAll()
        return minted.text
    }

    /// Whether the only way in is a bootstrap token that nobody has used. A gateway that died between making it and writing
    /// its file leaves one whose text nobody has.
    public func awaitsFirstUse() async throws -> Bool {
        let now = dependencies.now()
        return try await dependencies.database.read { tx in
            try tx.hasUsableAdministrator(at: now)
                && !tx.hasUsableAdministrator(at: now, besidesUnused: Self.bootstrapLabel)
        }
    }

    private func refused(_ source: String) -> ControlError {
        dependencies.refusals.note(.init(kind: "setup-secret", reason: "unknown", source: source, credential: ""))
        return .setupRefused
    }

    private func mint(
        label: String, source: String, lifetime: Duration,
        condition: @escaping @Sendable (any Transaction) throws -> Void
    ) async throws -> (token: AccessToken, text: Secret<String>) {
        let minted = MintedCredential(.personalToken)
        let (now, tenant) = (dependencies.now(), dependencies.identity.tenant)
        let token = try await dependencies.database.write { [dependencies] tx in
            try condition(tx)
            guard let user = try tx.user(named: Self.administratorName, in: tenant) else {
                throw ControlError.setupRefused
            }
            let token = AccessToken(
                id: .random(), tenant: tenant, user: user.id, label: label, createdAt: now,
                expiresAt: now + lifetime, lifetime: lifetime)
            try tx.insertToken(token, digest: minted.digest)
            try tx.appendAudit(
                dependencies.ownEvent(
                    .tokenAdded, subject: "token:\(token.id)", source: source, at: now, details: [("label", label)]))
            return token
        }
        return (token, minted.text)
    }
}
