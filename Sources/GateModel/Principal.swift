/// Who a request acts as.
public enum Principal: Sendable, Hashable {
    /// A user, by one of their tokens.
    case user(User, token: ID<AccessToken>)
    /// The operator on the gateway's own host, through `admin.sock`.
    case localAdministrator(tenant: ID<Tenant>)
    /// A machine, by its agent key.
    case machine(ID<Machine>, tenant: ID<Tenant>, key: ID<AgentKey>)

    public var tenant: ID<Tenant> {
        switch self {
        case .user(let user, _): user.tenant
        case .localAdministrator(let tenant): tenant
        case .machine(_, let tenant, _): tenant
        }
    }

    /// Short text for logs and audit: kind and id, never a secret.
    public var text: String {
        switch self {
        case .user(let user, _): "user:\(user.id)"
        case .localAdministrator: "local-administrator"
        case .machine(let id, _, _): "machine:\(id)"
        }
    }

    /// May it manage machines, keys and tokens of its tenant?
    public var isAdministrator: Bool {
        switch self {
        case .user(let user, _): user.role == .admin && user.disabledAt == nil
        case .localAdministrator: true
        case .machine: false
        }
    }
}
