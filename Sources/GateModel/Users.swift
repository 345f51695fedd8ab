/// Somebody with an account on the gateway: a person, or a program that acts by itself.
public struct User: Sendable, Hashable {
    public enum Kind: String, Sendable, CaseIterable {
        case person
        /// Never signs in; acts by service tokens (`tgs_…`).
        case service
    }

    public var id: ID<User>
    public var tenant: ID<Tenant>
    public var name: String
    public var kind: Kind
    public var role: Role
    /// Blocks of addresses its credentials may come from, each `ADDRESS/BITS`; none means any.
    public var allowFrom: [String]
    public var createdAt: Timestamp
    public var disabledAt: Timestamp?

    public init(
        id: ID<User>, tenant: ID<Tenant>, name: String, kind: Kind = .person, role: Role, allowFrom: [String] = [],
        createdAt: Timestamp, disabledAt: Timestamp? = nil
    ) {
        self.id = id
        self.tenant = tenant
        self.name = name
        self.kind = kind
        self.role = role
        self.allowFrom = allowFrom
        self.createdAt = createdAt
        self.disabledAt = disabledAt
    }
}

/// What a user may do at most.
public enum Role: String, Sendable, CaseIterable {
    /// Everything in the tenant, on every machine.
    case admin
    /// Runs machines; reaches those that grants name.
    case `operator`
    /// Sees and reaches the machines that grants name.
    case viewer
    /// A program: looks up tunnel keys for another host's sshd, and nothing else.
    case tunnelHost = "tunnel-host"
    /// A program: drains the gateway, and nothing else.
    case drain

    public var scopes: Scopes {
        switch self {
        case .admin:
            [
                .machinesRead, .machinesWrite, .keys, .tokens, .connectionsRead, .auditRead, .accessRead, .accessWrite,
                .keyLookup, .drain, .proxiesWrite,
            ]
        case .operator: [.machinesRead, .machinesWrite, .keys, .tokens, .connectionsRead]
        case .viewer: [.machinesRead, .keys, .tokens]
        case .tunnelHost: [.keyLookup]
        case .drain: [.drain]
        }
    }

    /// Roles that only a program may have.
    public var isForServicesOnly: Bool { self == .tunnelHost || self == .drain }
}

/// A user's name, `^[a-z0-9][a-z0-9._@+-]{0,63}$`.
public struct UserName: CheckedName {
    public let rawValue: String
    public static let rule =
        "1 to 64 characters: lower-case letters, digits, '.', '_', '@', '+' and '-', first a letter or digit"

    public init?(rawValue: String) {
        let bytes = rawValue.utf8
        guard (1...64).contains(bytes.count), let first = bytes.first, isLowerAlphanumeric(first),
            bytes.allSatisfy({ isLowerAlphanumeric($0) || "._@+-".utf8.contains($0) })
        else { return nil }
        self.rawValue = rawValue
    }
}
