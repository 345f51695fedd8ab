public import GateModel

/// `POST /api/v1/tokens`.
public struct AddTokenRequest: Codable, WireRequest {
    public var label: String
    /// Seconds: 60 to 31536000, default 90 d.
    public var ttl: Int?
    /// The service user it acts for; absent: the caller.
    public var user: String?
    /// Absent: all that the caller's credential and the user's role have.
    public var scopes: [String]?
    /// Addresses or blocks it may come from; absent or empty: any.
    public var allowFrom: [String]?

    public init(
        label: String, ttl: Int? = nil, user: String? = nil, scopes: [String]? = nil, allowFrom: [String]? = nil
    ) {
        self.label = label
        self.ttl = ttl
        self.user = user
        self.scopes = scopes
        self.allowFrom = allowFrom
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case label, ttl, user, scopes
        case allowFrom = "allow_from"
    }
}

/// A token's metadata. `token` is there once, in the 201 that made it.
public struct TokenBody: Codable, Sendable, Equatable {
    public var id: String
    public var token: String?
    public var label: String
    /// Nil: whatever the user's role has.
    public var scopes: [String]?
    public var allowFrom: [String]
    public var createdAt: Timestamp
    public var expiresAt: Timestamp?
    public var lastUsedAt: Timestamp?
    public var revokedAt: Timestamp?

    public init(
        id: String, token: String? = nil, label: String, scopes: [String]? = nil, allowFrom: [String] = [],
        createdAt: Timestamp, expiresAt: Timestamp?, lastUsedAt: Timestamp? = nil, revokedAt: Timestamp? = nil
    ) {
        self.id = id
        self.token = token
        self.label = label
        self.scopes = scopes
        self.allowFrom = allowFrom
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.lastUsedAt = lastUsedAt
        self.revokedAt = revokedAt
    }

    /// Absent facts are `null`; a secret is there once or not at all.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        try values.encode(label, forKey: .label)
        try values.encode(scopes, forKey: .scopes)
        try values.encode(allowFrom, forKey: .allowFrom)
        try values.encode(createdAt, forKey: .createdAt)
        try values.encode(expiresAt, forKey: .expiresAt)
        try values.encode(lastUsedAt, forKey: .lastUsedAt)
        try values.encode(revokedAt, forKey: .revokedAt)
        try values.encodeIfPresent(token, forKey: .token)
    }

    enum CodingKeys: String, CodingKey {
        case id, token, label, scopes
        case allowFrom = "allow_from"
        case createdAt = "created_at"
        case expiresAt = "expires_at"
        case lastUsedAt = "last_used_at"
        case revokedAt = "revoked_at"
    }
}

/// `POST /api/v1/tokens/current/renew`.
public struct TokenRenewalBody: Codable, Sendable, Equatable {
    public var expiresAt: Timestamp?
    public var renewed: Bool

    public init(expiresAt: Timestamp?, renewed: Bool) {
        self.expiresAt = expiresAt
        self.renewed = renewed
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(expiresAt, forKey: .expiresAt)
        try values.encode(renewed, forKey: .renewed)
    }

    enum CodingKeys: String, CodingKey {
        case renewed
        case expiresAt = "expires_at"
    }
}

/// `GET /api/v1/whoami`.
public struct WhoAmIBody: Codable, Sendable, Equatable {
    /// `user`, `service`, `machine`, `environment` or `local-administrator`.
    public var kind: String
    public var id: String?
    public var name: String
    public var role: String?
    /// What the credential may be used for.
    public var scopes: [String]
    /// Of a node token: the instance it belongs to.
    public var node: String?

    public init(
        kind: String, id: String?, name: String, role: String?, scopes: [String], node: String? = nil
    ) {
        self.node = node
        self.kind = kind
        self.id = id
        self.name = name
        self.role = role
        self.scopes = scopes
    }
}
