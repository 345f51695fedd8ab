public import GateModel

/// `POST /api/v1/users`.
public struct AddUserRequest: Codable, WireRequest {
    public var name: String
    /// `person` (the default) or `service`.
    public var kind: String?
    /// `admin`, `operator`, `viewer`; for a service also `tunnel-host` and `drain`.
    public var role: String
    public var allowFrom: [String]?

    public init(name: String, kind: String? = nil, role: String, allowFrom: [String]? = nil) {
        self.name = name
        self.kind = kind
        self.role = role
        self.allowFrom = allowFrom
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, kind, role
        case allowFrom = "allow_from"
    }
}

/// `PATCH /api/v1/users/{name}`: an absent field stays as it is.
public struct PatchUserRequest: Codable, WireRequest {
    public var role: String?
    public var allowFrom: [String]?
    public var disabled: Bool?

    public init(role: String? = nil, allowFrom: [String]? = nil, disabled: Bool? = nil) {
        self.role = role
        self.allowFrom = allowFrom
        self.disabled = disabled
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case role, disabled
        case allowFrom = "allow_from"
    }
}

/// A user.
public struct UserBody: Codable, Sendable, Equatable {
    public var id: String
    public var name: String
    public var kind: String
    public var role: String
    public var allowFrom: [String]
    public var createdAt: Timestamp
    public var disabledAt: Timestamp?

    public init(
        id: String, name: String, kind: String, role: String, allowFrom: [String], createdAt: Timestamp,
        disabledAt: Timestamp?
    ) {
        self.id = id
        self.name = name
        self.kind = kind
        self.role = role
        self.allowFrom = allowFrom
        self.createdAt = createdAt
        self.disabledAt = disabledAt
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        try values.encode(name, forKey: .name)
        try values.encode(kind, forKey: .kind)
        try values.encode(role, forKey: .role)
        try values.encode(allowFrom, forKey: .allowFrom)
        try values.encode(createdAt, forKey: .createdAt)
        try values.encode(disabledAt, forKey: .disabledAt)
    }

    enum CodingKeys: String, CodingKey {
        case id, name, kind, role
        case allowFrom = "allow_from"
        case createdAt = "created_at"
        case disabledAt = "disabled_at"
    }
}

/// `POST /api/v1/users/{name}/identities`.
public struct LinkIdentityRequest: Codable, WireRequest {
    /// `iss` of the provider's tokens, to the letter.
    public var issuer: String
    /// `sub` of the provider's tokens.
    public var subject: String

    public init(issuer: String, subject: String) {
        self.issuer = issuer
        self.subject = subject
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable { case issuer, subject }
}

/// Somebody as an outside provider knows them.
public struct IdentityBody: Codable, Sendable, Equatable {
    public var id: String
    public var issuer: String
    public var subject: String
    /// Whether the provider's groups decide the user's role.
    public var givesRole: Bool
    public var createdAt: Timestamp
    public var lastSignInAt: Timestamp?

    public init(_ identity: OutsideIdentity) {
        id = identity.id.text
        issuer = identity.issuer
        subject = identity.subject
        givesRole = identity.givesRole
        createdAt = identity.createdAt
        lastSignInAt = identity.lastSignInAt
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        try values.encode(issuer, forKey: .issuer)
        try values.encode(subject, forKey: .subject)
        try values.encode(givesRole, forKey: .givesRole)
        try values.encode(createdAt, forKey: .createdAt)
        try values.encode(lastSignInAt, forKey: .lastSignInAt)
    }

    enum CodingKeys: String, CodingKey {
        case id, issuer, subject
        case givesRole = "gives_role"
        case createdAt = "created_at"
        case lastSignInAt = "last_sign_in_at"
    }
}

/// `POST /api/v1/tenants`.
public struct AddTenantRequest: Codable, WireRequest {
    public var name: String
    /// The name of its first administrator.
    public var administrator: String

    public init(name: String, administrator: String) {
        self.name = name
        self.administrator = administrator
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable { case name, administrator }
}

/// A tenant.
public struct TenantBody: Codable, Sendable, Equatable {
    public var id: String
    public var name: String
    public var createdAt: Timestamp

    public init(id: String, name: String, createdAt: Timestamp) {
        self.id = id
        self.name = name
        self.createdAt = createdAt
    }

    enum CodingKeys: String, CodingKey {
        case id, name
        case createdAt = "created_at"
    }
}

/// A new tenant with its first administrator and their first token, shown this once.
public struct AddedTenantBody: Codable, Sendable, Equatable {
    public var tenant: TenantBody
    public var administrator: UserBody
    public var token: TokenBody

    public init(tenant: TenantBody, administrator: UserBody, token: TokenBody) {
        self.tenant = tenant
        self.administrator = administrator
        self.token = token
    }
}
