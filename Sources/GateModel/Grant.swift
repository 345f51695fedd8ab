/// Who may reach which machines, how, and until when.
public struct Grant: Sendable, Hashable {
    /// Who is granted something.
    public enum Subject: Sendable, Hashable {
        case user(ID<User>)
        /// Everybody of the tenant with that role.
        case role(Role)
    }

    /// Which machines.
    public enum Selector: Sendable, Hashable {
        case all
        case machine(ID<Machine>)
        case tag(Tag)
        case organization(String)
        case site(String)
    }

    /// What may be done there.
    public enum Mode: String, Sendable, CaseIterable {
        /// The jump with `ssh`.
        case ssh
        /// A terminal through the gateway.
        case terminal
        /// Seeing the machine, and watching what others do there.
        case view
    }

    public var id: ID<Grant>
    public var tenant: ID<Tenant>
    public var subject: Subject
    public var selector: Selector
    public var modes: Set<Mode>
    /// Logins on the machine; none means any.
    public var logins: [LoginName]
    public var createdAt: Timestamp
    public var expiresAt: Timestamp?
    /// Withdrawn, or expired and swept.
    public var endedAt: Timestamp?

    public init(
        id: ID<Grant>, tenant: ID<Tenant>, subject: Subject, selector: Selector, modes: Set<Mode>,
        logins: [LoginName] = [], createdAt: Timestamp, expiresAt: Timestamp? = nil, endedAt: Timestamp? = nil
    ) {
        self.id = id
        self.tenant = tenant
        self.subject = subject
        self.selector = selector
        self.modes = modes
        self.logins = logins
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.endedAt = endedAt
    }

    /// Is it in force at that time?
    public func isLive(at now: Timestamp) -> Bool { endedAt == nil && expiresAt.map { now < $0 } ?? true }
}

extension Grant.Selector {
    public func selects(_ machine: Machine) -> Bool {
        switch self {
        case .all: true
        case .machine(let id): machine.id == id
        case .tag(let tag): machine.tags.contains(tag)
        // A machine without one belongs to nobody's organization, however the selector was written.
        case .organization(let name): !name.isEmpty && machine.organization == name
        case .site(let name): !name.isEmpty && machine.site == name
        }
    }
}

extension Grant.Subject {
    public func covers(_ user: User) -> Bool {
        switch self {
        case .user(let id): user.id == id
        case .role(let role): user.role == role
        }
    }
}
