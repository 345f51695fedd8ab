public import GateModel

/// `POST /api/v1/auth/password-login`.
public struct PasswordLoginRequest: Codable, WireRequest {
    public var username: String
    public var password: String
    /// A code of the account's authenticator, or one of its recovery codes; for an account that has a second factor.
    public var totp: String?

    public init(username: String, password: String, totp: String? = nil) {
        self.username = username
        self.password = password
        self.totp = totp
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable { case username, password, totp }
}

/// A user as sign-in answers show them.
public struct SignedInUserBody: Codable, Sendable, Equatable {
    public var id: String
    public var name: String
    public var role: String

    public init(id: String, name: String, role: String) {
        self.id = id
        self.name = name
        self.role = role
    }
}

/// A browser's session, without its cookie.
public struct SessionBody: Codable, Sendable, Equatable {
    public var id: String
    /// `password`, `oidc` or `cloudflare-access`.
    public var method: String
    public var source: String
    /// What the browser calls itself.
    public var client: String
    public var createdAt: Timestamp
    public var lastUsedAt: Timestamp
    public var idleUntil: Timestamp
    public var expiresAt: Timestamp
    public var secondFactorAt: Timestamp?
    /// The one the request came with.
    public var current: Bool

    public init(_ session: Session, current: Bool) {
        id = session.id.text
        method = session.method.rawValue
        source = session.source
        client = session.client
        createdAt = session.createdAt
        lastUsedAt = session.lastUsedAt
        idleUntil = session.idleUntil
        expiresAt = session.expiresAt
        secondFactorAt = session.secondFactorAt
        self.current = current
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        try values.encode(method, forKey: .method)
        try values.encode(source, forKey: .source)
        try values.encode(client, forKey: .client)
        try values.encode(createdAt, forKey: .createdAt)
        try values.encode(lastUsedAt, forKey: .lastUsedAt)
        try values.encode(idleUntil, forKey: .idleUntil)
        try values.encode(expiresAt, forKey: .expiresAt)
        try values.encode(secondFactorAt, forKey: .secondFactorAt)
        try values.encode(current, forKey: .current)
    }

    enum CodingKeys: String, CodingKey {
        case id, method, source, client, current
        case createdAt = "created_at"
        case lastUsedAt = "last_used_at"
        case idleUntil = "idle_until"
        case expiresAt = "expires_at"
        case secondFactorAt = "second_factor_at"
    }
}

/// The answer to a sign-in; the session itself is in the cookie that comes with it.
public struct SignedInBody: Codable, Sendable, Equatable {
    public var user: SignedInUserBody
    public var session: SessionBody
    /// For `X-CSRF-Token`, which every change by this session has to carry.
    public var csrfToken: String

    public init(user: SignedInUserBody, session: SessionBody, csrfToken: String) {
        self.user = user
        self.session = session
        self.csrfToken = csrfToken
    }

    enum CodingKeys: String, CodingKey {
        case user, session
        case csrfToken = "csrf_token"
    }
}

/// A sign-in that waits for the account's second factor; what it waits with is in the cookie that comes with this.
public struct SecondFactorWaitsBody: Codable, Sendable, Equatable {
    /// The page that asks for the code.
    public var page: String

    public init(page: String) { self.page = page }
}

/// `POST /api/v1/auth/logout`.
public struct LogoutRequest: Codable, WireRequest {
    /// Every session of the user (the default), or the one of the request alone.
    public var everywhere: Bool?

    public init(everywhere: Bool? = nil) { self.everywhere = everywhere }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable { case everywhere }
}

/// What a logout ended.
public struct LogoutBody: Codable, Sendable, Equatable {
    public var sessionsEnded: Int
    /// The token of the request, if it came with one.
    public var tokenRevoked: Bool

    public init(sessionsEnded: Int, tokenRevoked: Bool) {
        self.sessionsEnded = sessionsEnded
        self.tokenRevoked = tokenRevoked
    }

    enum CodingKeys: String, CodingKey {
        case sessionsEnded = "sessions_ended"
        case tokenRevoked = "token_revoked"
    }
}

/// `GET /api/v1/auth/status`.
public struct AuthStatusBody: Codable, Sendable, Equatable {
    public struct Credential: Codable, Sendable, Equatable {
        /// `token` or `session`.
        public var kind: String
        public var id: String
        public var expiresAt: Timestamp?

        public init(kind: String, id: String, expiresAt: Timestamp?) {
            self.kind = kind
            self.id = id
            self.expiresAt = expiresAt
        }

        enum CodingKeys: String, CodingKey {
            case kind, id
            case expiresAt = "expires_at"
        }
    }

    public var user: SignedInUserBody
    public var credential: Credential
    public var hasPassword: Bool
    public var secondFactor: Bool
    public var recoveryCodesLeft: Int
    public var sessions: Int
    /// For a session alone.
    public var csrfToken: String?

    public init(
        user: SignedInUserBody, credential: Credential, hasPassword: Bool, secondFactor: Bool, recoveryCodesLeft: Int,
        sessions: Int, csrfToken: String?
    ) {
        self.user = user
        self.credential = credential
        self.hasPassword = hasPassword
        self.secondFactor = secondFactor
        self.recoveryCodesLeft = recoveryCodesLeft
        self.sessions = sessions
        self.csrfToken = csrfToken
    }

    enum CodingKeys: String, CodingKey {
        case user, credential, sessions
        case hasPassword = "has_password"
        case secondFactor = "second_factor"
        case recoveryCodesLeft = "recovery_codes_left"
        case csrfToken = "csrf_token"
    }
}

/// `POST /api/v1/auth/password`.
public struct SetPasswordRequest: Codable, WireRequest {
    /// Whose; the caller's own when absent.
    public var username: String?
    /// Needed for one's own, where there is one.
    public var currentPassword: String?
    public var newPassword: String

    public init(username: String? = nil, currentPassword: String? = nil, newPassword: String) {
        self.username = username
        self.currentPassword = currentPassword
        self.newPassword = newPassword
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case username
        case currentPassword = "current_password"
        case newPassword = "new_password"
    }
}
