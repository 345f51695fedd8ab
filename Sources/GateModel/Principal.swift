/// Who a request acts as.
public enum Principal: Sendable, Hashable {
    /// A person or a service, by a credential of theirs, for no more than `scopes`.
    case user(User, by: UserCredential, scopes: Scopes)
    /// The operator on the gateway's own host, through `admin.sock`.
    case localAdministrator(tenant: ID<Tenant>)
    /// A machine, by its own key or by what stands for one.
    case machine(ID<Machine>, tenant: ID<Tenant>, by: MachineCredential)
    /// A program that knows a secret of the gateway's own environment.
    case environment(EnvironmentCredential, tenant: ID<Tenant>)

    public var tenant: ID<Tenant> {
        switch self {
        case .user(let user, _, _): user.tenant
        case .localAdministrator(let tenant): tenant
        case .machine(_, let tenant, _): tenant
        case .environment(_, let tenant): tenant
        }
    }

    /// Short text for logs and audit: kind and id, never a secret.
    public var text: String {
        switch self {
        case .user(let user, _, _): "\(user.kind == .service ? "service" : "user"):\(user.id)"
        case .localAdministrator: "local-administrator"
        case .machine(let id, _, _): "machine:\(id)"
        case .environment(let credential, _): "environment:\(credential.rawValue)"
        }
    }

    /// What it may do; a machine's own routes ask for the machine, not for a scope.
    public var scopes: Scopes {
        switch self {
        case .user(let user, _, let scopes): user.disabledAt == nil ? scopes.intersection(user.role.scopes) : []
        case .localAdministrator: Role.admin.scopes.union(.tenants)
        case .machine: []
        case .environment(let credential, _): credential.scopes
        }
    }

    /// A user in a browser's session, who may do there whatever the role may.
    public static func user(_ user: User, in session: ID<Session>) -> Principal {
        .user(user, by: .session(session), scopes: user.role.scopes)
    }

    /// The browser's session it acts in, if it does.
    public var session: ID<Session>? {
        if case .user(_, .session(let session), _) = self { session } else { nil }
    }

    /// Whether the Fleet vouches for it, and nobody here.
    public var isNode: Bool {
        switch self {
        case .user(_, .node, _), .machine(_, _, .node): true
        default: false
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
    /// A browser's cookie. Only routes that name sessions ever see one.
    case session(ID<Session>)
    /// A node token of the Fleet, and the node it says it belongs to.
    case node(instance: AgentID?)
}

/// What a machine showed, or somebody for it.
public enum MachineCredential: Sendable, Hashable {
    case agentKey(ID<AgentKey>)
    /// A node token, whose instance is the machine's agent id, of a user who may add machines.
    case node(owner: ID<User>, instance: AgentID)
    /// The key that agents share, which proves nothing about a single one.
    case agentAPIKey
}

/// A secret that the gateway's environment holds.
public enum EnvironmentCredential: String, Sendable, CaseIterable {
    /// Drains the gateway, and nothing else.
    case drain = "drain-secret"
    /// Agents' shared key: it does nothing before a machine is named with it.
    case agent = "agent-api-key"

    public var scopes: Scopes {
        switch self {
        case .drain: .drain
        case .agent: []
        }
    }
}
