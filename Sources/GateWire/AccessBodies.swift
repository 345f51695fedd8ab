public import GateModel

/// `POST /api/v1/setup`: buys the first administrator's token with the secret the gateway printed.
public struct SetupRequest: Codable, WireRequest {
    public var secret: String

    public init(secret: String) { self.secret = secret }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable { case secret }
}

/// `POST /api/v1/tokens`.
public struct AddTokenRequest: Codable, WireRequest {
    public var label: String
    /// Seconds: 60 to 31536000, default 90 d.
    public var ttl: Int?

    public init(label: String, ttl: Int? = nil) {
        self.label = label
        self.ttl = ttl
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable { case label, ttl }
}

/// A personal token's metadata. `token` is there once, in the 201 that made it.
public struct TokenBody: Codable, Sendable, Equatable {
    public var id: String
    public var token: String?
    public var label: String
    public var createdAt: Timestamp
    public var expiresAt: Timestamp?
    public var lastUsedAt: Timestamp?
    public var revokedAt: Timestamp?

    public init(
        id: String, token: String? = nil, label: String, createdAt: Timestamp, expiresAt: Timestamp?,
        lastUsedAt: Timestamp? = nil, revokedAt: Timestamp? = nil
    ) {
        self.id = id
        self.token = token
        self.label = label
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
        try values.encode(createdAt, forKey: .createdAt)
        try values.encode(expiresAt, forKey: .expiresAt)
        try values.encode(lastUsedAt, forKey: .lastUsedAt)
        try values.encode(revokedAt, forKey: .revokedAt)
        try values.encodeIfPresent(token, forKey: .token)
    }

    enum CodingKeys: String, CodingKey {
        case id, token, label
        case createdAt = "created_at"
        case expiresAt = "expires_at"
        case lastUsedAt = "last_used_at"
        case revokedAt = "revoked_at"
    }
}

/// `GET /api/v1/whoami`.
public struct WhoAmIBody: Codable, Sendable, Equatable {
    /// `user`, `machine` or `local-administrator`.
    public var kind: String
    public var id: String?
    public var name: String
    public var role: String?

    public init(kind: String, id: String?, name: String, role: String?) {
        self.kind = kind
        self.id = id
        self.name = name
        self.role = role
    }
}

/// One audit event, as `GET /api/v1/audit/events` lists it and `audit/audit.jsonl` holds it, a line each.
public struct AuditEventBody: Codable, Sendable, Equatable {
    public var id: String
    public var at: Timestamp
    public var action: String
    public var severity: String
    public var outcome: String
    public var actor: String
    public var credential: String
    public var source: String
    public var subject: String
    public var details: [String: String]

    public init(
        id: String, at: Timestamp, action: String, severity: String, outcome: String, actor: String, credential: String,
        source: String, subject: String, details: [String: String]
    ) {
        self.id = id
        self.at = at
        self.action = action
        self.severity = severity
        self.outcome = outcome
        self.actor = actor
        self.credential = credential
        self.source = source
        self.subject = subject
        self.details = details
    }
}
