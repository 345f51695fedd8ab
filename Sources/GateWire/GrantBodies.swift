public import GateModel

/// `POST /api/v1/grants`: one of `user` and `role`, one of `machine`, `tag`, `organization`, `site` and `all`.
public struct AddGrantRequest: Codable, WireRequest {
    public var user: String?
    public var role: String?
    public var all: Bool?
    public var machine: String?
    public var tag: String?
    public var organization: String?
    public var site: String?
    /// `ssh`, `terminal`, `view`; default ssh and view.
    public var modes: [String]?
    /// Logins on the machine; absent or empty: any.
    public var logins: [String]?
    /// Seconds; absent: until withdrawn.
    public var ttl: Int?

    public init(
        user: String? = nil, role: String? = nil, all: Bool? = nil, machine: String? = nil, tag: String? = nil,
        organization: String? = nil, site: String? = nil, modes: [String]? = nil, logins: [String]? = nil,
        ttl: Int? = nil
    ) {
        self.user = user
        self.role = role
        self.all = all
        self.machine = machine
        self.tag = tag
        self.organization = organization
        self.site = site
        self.modes = modes
        self.logins = logins
        self.ttl = ttl
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case user, role, all, machine, tag, organization, site, modes, logins, ttl
    }
}

/// A grant. Of the fields that say to whom and on what, only those that apply are there.
public struct GrantBody: Codable, Sendable, Equatable {
    public var id: String
    public var user: String?
    public var role: String?
    public var all: Bool?
    /// The machine's id.
    public var machine: String?
    public var machineName: String?
    public var tag: String?
    public var organization: String?
    public var site: String?
    public var modes: [String]
    public var logins: [String]
    public var createdAt: Timestamp
    public var expiresAt: Timestamp?
    public var endedAt: Timestamp?

    public init(
        id: String, user: String?, role: String?, all: Bool?, machine: String?, machineName: String?, tag: String?,
        organization: String?, site: String?, modes: [String], logins: [String], createdAt: Timestamp,
        expiresAt: Timestamp?, endedAt: Timestamp?
    ) {
        self.id = id
        self.user = user
        self.role = role
        self.all = all
        self.machine = machine
        self.machineName = machineName
        self.tag = tag
        self.organization = organization
        self.site = site
        self.modes = modes
        self.logins = logins
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.endedAt = endedAt
    }

    enum CodingKeys: String, CodingKey {
        case id, user, role, all, machine, tag, organization, site, modes, logins
        case machineName = "machine_name"
        case createdAt = "created_at"
        case expiresAt = "expires_at"
        case endedAt = "ended_at"
    }
}

/// `GET /api/v1/access/check`.
public struct AccessCheckBody: Codable, Sendable, Equatable {
    public var allowed: Bool
    /// `administrator`, `granted`, `user-disabled`, `other-tenant`, `no-grant`, `expired`, `other-mode`, `other-login`.
    public var reason: String
    /// The same for a person to read.
    public var explanation: String
    public var user: String
    public var role: String
    public var machine: String
    public var mode: String
    public var login: String?
    /// False where the machine's own sshd decides about logins.
    public var loginEnforced: Bool
    public var until: Timestamp?
    public var grants: [GrantBody]

    public init(
        allowed: Bool, reason: String, explanation: String, user: String, role: String, machine: String, mode: String,
        login: String?, loginEnforced: Bool, until: Timestamp?, grants: [GrantBody]
    ) {
        self.allowed = allowed
        self.reason = reason
        self.explanation = explanation
        self.user = user
        self.role = role
        self.machine = machine
        self.mode = mode
        self.login = login
        self.loginEnforced = loginEnforced
        self.until = until
        self.grants = grants
    }

    enum CodingKeys: String, CodingKey {
        case allowed, reason, explanation, user, role, machine, mode, login, until, grants
        case loginEnforced = "login_enforced"
    }
}
