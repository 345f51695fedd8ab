public import GateModel
import GateStore

/// Tokens: a person's own, and those of service users.
public struct TokenService: Sendable {
    /// Unrevoked, unexpired tokens one user may hold.
    public static let limit = 100
    public static let defaultLifetime = Duration.seconds(90 * 86_400)
    public static let lifetimes: ClosedRange<Int> = 60...31_536_000
    /// A token is renewed in its last days only, for as long as it was made to last and this at most, and never past
    /// `maximumAge` after it was made: whoever steals one can't keep it for ever.
    static let renewalWindow = Duration.seconds(7 * 86_400)
    static let maximumRenewal = Duration.seconds(90 * 86_400)
    static let maximumAge = Duration.seconds(365 * 86_400)
    public static let maximumBlocks = 16

    /// What a new token is to be.
    public struct Wish: Sendable {
        public let label: Label
        public let lifetime: Duration
        /// The user it acts for; nil: the caller.
        public let owner: UserName?
        /// Nil: all that the caller's credential and the owner's role have.
        public let scopes: Scopes?
        public let allowFrom: [AddressBlock]

        public init(
            label: Label, lifetime: Duration, owner: UserName? = nil, scopes: Scopes? = nil,
            allowFrom: [AddressBlock] = []
        ) {
            self.label = label
            self.lifetime = lifetime
            self.owner = owner
            self.scopes = scopes
            self.allowFrom = allowFrom
        }
    }

    /// What a renewal came to.
    public struct Renewal: Sendable, Hashable {
        public let expiresAt: Timestamp?
        public let isRenewed: Bool

        public init(expiresAt: Timestamp?, isRenewed: Bool) {
            self.expiresAt = expiresAt
            self.isRenewed = isRenewed
        }
    }

    private let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    public func add(
        _ wish: Wish, by caller: Caller
    ) async throws -> (token: AccessToken, text: Secret<String>) {
        try caller.require(.tokens)
        let now = dependencies.now()
        let (minted, token) = try await dependencies.database.write { [self] tx in
            let owner = try owner(named: wish.owner, of: caller, in: tx)
            // A program's or a machine's credential, once stolen, must not turn into a person's.
            if owner.kind == .person, caller.principal.user?.kind == .service { throw ControlError.forbidden }
            let minted = MintedCredential(owner.kind == .service ? .serviceToken : .personalToken)
            let token = AccessToken(
                id: .random(), tenant: owner.tenant, user: owner.id, label: wish.label.rawValue,
                scopes: try scopes(wish, owner: owner, caller: caller),
                allowFrom: try blocks(wish, caller: caller, in: tx), createdAt: now, expiresAt: now + wish.lifetime,
                lifetime: wish.lifetime)
            try tx.requireRoomForToken(of: owner.id, at: now)
            try tx.insertToken(token, digest: minted.digest)
            try tx.appendAudit(
                dependencies.event(
                    .tokenAdded, by: caller, subject: "token:\(token.id)", at: now,
                    details: [
                        ("label", token.label), ("user", owner.name), ("expires_at", (now + wish.lifetime).rfc3339),
                        ("scopes", token.scopes?.text ?? "role"),
                    ]))
            return (minted, token)
        }
        return (token, minted.text)
    }

    /// One's own tokens, or those of the user of that name.
    public func list(of name: UserName? = nil, by caller: Caller) async throws -> [AccessToken] {
        try caller.require(.tokens)
        return try await dependencies.database.read { [self] tx in
            try tx.tokens(of: owner(named: name, of: caller, in: tx).id)
        }
    }

    /// Idempotent for a token that was revoked before; throws `tokenNotFound` for one that never was this user's.
    public func revoke(_ id: ID<AccessToken>, of name: UserName? = nil, by caller: Caller) async throws {
        try caller.require(.tokens)
        let now = dependencies.now()
        defer { dependencies.credentials.drop { $0.usesToken(id) } }
        try await dependencies.database.write { [self] tx in
            let owner = try owner(named: name, of: caller, in: tx)
            guard try tx.revokeToken(id, of: owner.id, at: now) else {
                guard try tx.token(id, of: owner.id) != nil else { throw ControlError.tokenNotFound }
                return
            }
            try tx.appendAudit(dependencies.event(.tokenRevoked, by: caller, subject: "token:\(id)", at: now))
        }
    }

    /// Moves the end of the token that is being used, in its last days. Throws `notRenewable` for any other credential.
    public func renew(by caller: Caller) async throws -> Renewal {
        guard case .user(let user, .token(let id), _) = caller.principal else { throw ControlError.notRenewable }
        let now = dependencies.now()
        let renewal = try await dependencies.database.write { [dependencies] tx in
            // Revoked since the credential was looked up: as unknown as if it had come a moment later.
            guard let token = try tx.token(id, of: user.id), token.revokedAt == nil else {
                throw ControlError.unauthenticated
            }
            guard let end = token.expiresAt, let lifetime = token.lifetime else {
                return Renewal(expiresAt: token.expiresAt, isRenewed: false)
            }
            guard end > now else { throw ControlError.unauthenticated }
            let until = min(now + min(lifetime, Self.maximumRenewal), token.createdAt + Self.maximumAge)
            guard try tx.renewToken(id, until: until, closing: now + Self.renewalWindow, at: now) else {
                return Renewal(expiresAt: end, isRenewed: false)
            }
            try tx.appendAudit(
                dependencies.event(
                    .tokenRenewed, by: caller, subject: "token:\(id)", at: now,
                    details: [("expires_at", until.rfc3339)]))
            return Renewal(expiresAt: until, isRenewed: true)
        }
        // The cache holds the earlier end.
        if renewal.isRenewed { dependencies.credentials.drop { $0.usesToken(id) } }
        return renewal
    }

    /// Whose tokens are meant: the caller's own, the first administrator's for the operator on the gateway's host, or, for
    /// whoever may change access, those of a user by name.
    private func owner(named name: UserName?, of caller: Caller, in tx: any Transaction) throws -> User {
        if let name {
            guard let user = try tx.user(named: name.rawValue, in: caller.tenant) else {
                // Whoever may not ask about others learns nothing about who there is.
                throw caller.has(.accessRead) ? ControlError.userNotFound : .forbidden
            }
            if user.id == caller.principal.user?.id { return user }
            try caller.require(.accessWrite)
            return user
        }
        if let user = caller.principal.user { return user }
        guard case .localAdministrator = caller.principal else { throw ControlError.forbidden }
        guard let user = try tx.user(named: SetupService.administratorName, in: caller.tenant) else {
            throw ControlError.userNotFound
        }
        return user
    }

    /// Never more than the caller's credential has itself, so that a narrow token can't make a wide one.
    private func scopes(_ wish: Wish, owner: User, caller: Caller) throws -> Scopes? {
        let own = owner.id == caller.principal.user?.id
        // For others only services' tokens are made: a person's is shown to nobody else.
        if !own, owner.kind == .person, caller.principal.user != nil { throw ControlError.forbidden }
        guard owner.disabledAt == nil else {
            throw ControlError.invalid(field: "user", rule: "a user who isn't disabled")
        }
        let most = own ? caller.principal.scopes : owner.role.scopes.intersection(caller.principal.scopes)
        guard let scopes = wish.scopes else { return most == owner.role.scopes ? nil : most }
        guard !scopes.isEmpty, most.isSuperset(of: scopes) else {
            throw ControlError.invalid(field: "scopes", rule: most.names.joined(separator: ", "))
        }
        return scopes
    }

    /// A token that may come from some addresses only makes none that may come from others.
    private func blocks(_ wish: Wish, caller: Caller, in tx: any Transaction) throws -> [String] {
        guard case .user(let user, .token(let id), _) = caller.principal, let own = try tx.token(id, of: user.id),
            !own.allowFrom.isEmpty
        else { return wish.allowFrom.map(\.text) }
        guard !wish.allowFrom.isEmpty else { return own.allowFrom }
        let outer = own.allowFrom.compactMap { AddressBlock($0) }
        guard wish.allowFrom.allSatisfy({ block in outer.contains { $0.contains(block) } }) else {
            throw ControlError.invalid(
                field: "allow_from", rule: "within \(own.allowFrom.joined(separator: " ")), as the token that asks")
        }
        return wish.allowFrom.map(\.text)
    }
}

extension Transaction {
    /// Throws `limitReached` for a user who holds as many living tokens as one may.
    func requireRoomForToken(of user: ID<User>, at now: Timestamp) throws {
        guard try liveTokenCount(of: user, at: now) < TokenService.limit else {
            throw ControlError.limitReached("A user may hold \(TokenService.limit) tokens; revoke one first.")
        }
    }
}

extension Principal {
    func usesToken(_ id: ID<AccessToken>) -> Bool {
        if case .user(_, .token(id), _) = self { true } else { false }
    }
}
