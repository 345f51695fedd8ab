/// A person signed in with a browser: the cookie's digest is in the store, and the session ends there.
public struct Session: Sendable, Hashable {
    /// How the person proved who they are.
    public enum Method: String, Sendable, CaseIterable {
        case password
        case oidc
        case cloudflareAccess = "cloudflare-access"
    }

    /// The outside identity it was begun with, and how long the provider's word holds: it ends then, unless the provider
    /// is asked again before and says the same.
    public struct Voucher: Sendable, Hashable {
        public let identity: ID<OutsideIdentity>
        public let until: Timestamp

        public init(identity: ID<OutsideIdentity>, until: Timestamp) {
            self.identity = identity
            self.until = until
        }
    }

    public var id: ID<Session>
    public var tenant: ID<Tenant>
    public var user: ID<User>
    public var method: Method
    /// Where the sign-in came from, after trusted proxies.
    public var source: String
    /// What the browser calls itself; told by it, so worth showing and nothing more.
    public var client: String
    public var createdAt: Timestamp
    public var lastUsedAt: Timestamp
    /// It ends then unless it is used before.
    public var idleUntil: Timestamp
    /// It ends then in any case.
    public var expiresAt: Timestamp
    /// When a second factor was last given in it; nil for an account without one.
    public var secondFactorAt: Timestamp?
    /// Nil for one by password.
    public var voucher: Voucher?
    public var endedAt: Timestamp?

    public init(
        id: ID<Session>, tenant: ID<Tenant>, user: ID<User>, method: Method, source: String, client: String,
        createdAt: Timestamp, lastUsedAt: Timestamp, idleUntil: Timestamp, expiresAt: Timestamp,
        secondFactorAt: Timestamp? = nil, voucher: Voucher? = nil, endedAt: Timestamp? = nil
    ) {
        self.id = id
        self.tenant = tenant
        self.user = user
        self.method = method
        self.source = source
        self.client = client
        self.createdAt = createdAt
        self.lastUsedAt = lastUsedAt
        self.idleUntil = idleUntil
        self.expiresAt = expiresAt
        self.secondFactorAt = secondFactorAt
        self.voucher = voucher
        self.endedAt = endedAt
    }

    public func isLive(at now: Timestamp) -> Bool {
        endedAt == nil && now < idleUntil && now < expiresAt && voucher.map { now < $0.until } ?? true
    }
}

/// A program on another computer that asks to act for a person (RFC 8628), until somebody answers.
public struct DeviceAuthorization: Sendable, Hashable {
    public var id: ID<DeviceAuthorization>
    public var tenant: ID<Tenant>
    /// What the asking program calls itself, usually `tidegate on HOST`; told by it.
    public var client: String
    /// What it asks for; nil: what is usual for whoever approves.
    public var scopes: Scopes?
    /// Where the asking program is, as the gateway sees it.
    public var source: String
    public var createdAt: Timestamp
    public var expiresAt: Timestamp
    public var approvedBy: ID<User>?
    public var approvedAt: Timestamp?
    public var deniedAt: Timestamp?
    public var consumedAt: Timestamp?

    public init(
        id: ID<DeviceAuthorization>, tenant: ID<Tenant>, client: String, scopes: Scopes?, source: String,
        createdAt: Timestamp,
        expiresAt: Timestamp, approvedBy: ID<User>? = nil, approvedAt: Timestamp? = nil, deniedAt: Timestamp? = nil,
        consumedAt: Timestamp? = nil
    ) {
        self.id = id
        self.tenant = tenant
        self.client = client
        self.scopes = scopes
        self.source = source
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.approvedBy = approvedBy
        self.approvedAt = approvedAt
        self.deniedAt = deniedAt
        self.consumedAt = consumedAt
    }
}
