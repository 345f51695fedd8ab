/// Who a request acts as.
public enum Principal: Sendable, Hashable {
    /// A person or a service, by a credential of theirs, for no more than `scopes`.
    case user(User, by: UserCredential, scopes: Scopes)
    /// The operator on the gateway's own host, through `admin.sock`.
    case localAdministrator(tenant: ID<Tenant>)
    /// A machine, by its agent key.
    case machine(ID<Machine>, tenant: ID<Tenant>, key: ID<AgentKey>)

    public var tenant: ID<Tenant> {
        switch self {
        case .user(let user, _, _): user.tenant
        case .localAdministrator(let tenant): tenant
        case .machine(_, let tenant, _): tenant
        }
    }

    /// Short text for logs and audit: kind and id, never a secret.
    public var text: String {
        switch self {
        case .user(let user, _, _): "\(user.kind == .service ? "service" : "user"):\(user.id)"
        case .localAdministrator: "local-administrator"
        case .machine(let id, _, _): "machine:\(id)"
        }
    }

    /// What it may do; a machine's own routes ask for the machine, not for a scope.
    public var scopes: Scopes {
        switch self {
        case .user(let user, _, let scopes): user.disabledAt == nil ? scopes.intersection(user.role.scopes) : []
        case .localAdministrator: Role.admin.scopes.union(.tenants)
        case .machine: []
        }
    }

    /// The user it acts as, if it is one.
    public var user: User? {
        if case .user(let user, _, _) = self { user } else { nil }
    }
}

/// What a user showed.
public enum UserCredential: Sendable, Hashable {
    case token(ID<AccessToken>)
}
