public import GateModel
import GateStore

/// Who may reach which machines.
public struct GrantService: Sendable {
    public static let limit = 10_000
    public static let lifetimes: ClosedRange<Int> = 60...10 * 31_536_000
    public static let maximumLogins = 32

    /// Whom a grant is for, as a request names them.
    public enum Recipient: Sendable {
        case user(UserName)
        case role(Role)
    }

    /// Which machines, as a request names them.
    public enum Target: Sendable {
        case all
        /// By `agent_id`, id or name.
        case machine(String)
        case tag(Tag)
        case organization(Label)
        case site(Label)
    }

    /// A grant with the names of what it names.
    public struct Described: Sendable {
        public let grant: Grant
        public let userName: String?
        /// Nil for a machine that is gone, and for every other selector.
        public let machine: Machine?
    }

    /// An answer to "may they?", with what explains it.
    public struct Check: Sendable {
        public let user: User
        public let machine: Machine
        public let mode: Grant.Mode
        public let login: LoginName?
        public let decision: AccessPolicy.Decision
        /// False where the machine's own sshd decides about logins, because it doesn't ask this gateway.
        public let enforcesLogin: Bool
        public let grants: [Described]
    }

    private let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    public func add(
        to recipient: Recipient, on target: Target, modes: Set<Grant.Mode>, logins: [LoginName], lifetime: Duration?,
        by caller: Caller
    ) async throws -> Described {
        try caller.require(.accessWrite)
        let now = dependencies.now()
        let described = try await dependencies.database.write { [dependencies] tx in
            let (subject, userName) = try tx.subject(recipient, in: caller.tenant)
            let (selector, machine) = try tx.selector(target, in: caller.tenant)
            guard try tx.openGrantCount(in: caller.tenant) < Self.limit else {
                throw ControlError.limitReached("A tenant may have \(Self.limit) grants; withdraw some first.")
            }
            let grant = Grant(
                id: .ordered(at: now), tenant: caller.tenant, subject: subject, selector: selector, modes: modes,
                logins: logins, createdAt: now, expiresAt: lifetime.map { now + $0 })
            try tx.insertGrant(grant)
            try tx.appendAudit(
                dependencies.event(
                    .grantAdded, by: caller, subject: "grant:\(grant.id)", at: now, details: grant.facts))
            return Described(grant: grant, userName: userName, machine: machine)
        }
        // Lines that lacked a port are written anew at their next login.
        try await dependencies.decideAnew(described.grant.subject, in: caller.tenant)
        return described
    }

    /// Newest first; ended ones only with `ended`.
    public func list(
        of user: UserName?, role: Role?, ended: Bool, after: (createdAt: Timestamp, id: ID<Grant>)?, limit: Int,
        by caller: Caller
    ) async throws -> [Described] {
        try caller.require(.accessRead)
        return try await dependencies.database.read { tx in
            var id: ID<User>?
            if let user {
                id = try tx.user(named: user.rawValue, in: caller.tenant)?.id
                if id == nil { throw ControlError.userNotFound }
            }
            return try tx.grants(in: caller.tenant, user: id, role: role, ended: ended, after: after, limit: limit)
                .map { grant in try tx.describe(grant) }
        }
    }

    /// Returns once every connection that only this grant allowed is gone. Idempotent for one ended before.
    public func withdraw(_ id: ID<Grant>, by caller: Caller) async throws {
        try caller.require(.accessWrite)
        let now = dependencies.now()
        let grant: Grant
        do {
            grant = try await dependencies.database.write { [dependencies] tx in
                guard let grant = try tx.grant(id, in: caller.tenant) else { throw ControlError.grantNotFound }
                if try tx.endGrant(id, at: now) {
                    try tx.appendAudit(
                        dependencies.event(
                            .grantWithdrawn, by: caller, subject: "grant:\(id)", at: now, details: grant.facts))
                }
                return grant
            }
        } catch let error as StoreError {
            dependencies.keys.dropAll()
            throw error
        }
        try await dependencies.decideAnew(grant.subject, in: grant.tenant)
    }

    /// What the policy says of somebody on a machine. Anybody may ask about themselves.
    public func check(
        _ name: UserName, on machine: String, mode: Grant.Mode, login: LoginName?, by caller: Caller
    ) async throws -> Check {
        if caller.principal.user?.name != name.rawValue { try caller.require(.accessRead) }
        let now = dependencies.now()
        return try await dependencies.database.read { tx in
            guard let user = try tx.user(named: name.rawValue, in: caller.tenant) else {
                throw ControlError.userNotFound
            }
            let grants = try tx.openGrants(for: user)
            guard let machine = try tx.machine(named: machine, orCalled: machine, in: caller.tenant),
                caller.has(.accessRead) || AccessPolicy.maySee(machine, user, by: grants, at: now)
            else { throw ControlError.machineNotFound }
            let decision = AccessPolicy.decide(user, mode, on: machine, login: login, by: grants, at: now)
            return Check(
                user: user, machine: machine, mode: mode, login: login, decision: decision,
                // The jump ends at the machine's own sshd, which knows nothing of grants.
                enforcesLogin: mode != .ssh,
                grants: try grants.filter { decision.grants.contains($0.id) }.map { grant in try tx.describe(grant) })
        }
    }
}

extension Grant {
    /// For the audit trail.
    fileprivate var facts: [(name: String, value: String)] {
        let modes = Mode.allCases.filter(modes.contains).map(\.rawValue).joined(separator: " ")
        var facts = [subject.fact, selector.fact, ("modes", modes)]
        if !logins.isEmpty { facts.append(("logins", logins.map(\.rawValue).joined(separator: " "))) }
        if let expiresAt { facts.append(("expires_at", expiresAt.rfc3339)) }
        return facts
    }
}

extension Grant.Subject {
    fileprivate var fact: (name: String, value: String) {
        switch self {
        case .user(let id): ("user", id.text)
        case .role(let role): ("role", role.rawValue)
        }
    }
}

extension Grant.Selector {
    fileprivate var fact: (name: String, value: String) {
        switch self {
        case .all: ("machines", "all")
        case .machine(let id): ("machine", id.text)
        case .tag(let tag): ("tag", tag.rawValue)
        case .organization(let name): ("organization", name)
        case .site(let name): ("site", name)
        }
    }
}

extension Transaction {
    fileprivate func subject(
        _ recipient: GrantService.Recipient, in tenant: ID<Tenant>
    ) throws -> (Grant.Subject, name: String?) {
        switch recipient {
        case .role(let role): return (.role(role), nil)
        case .user(let name):
            guard let user = try user(named: name.rawValue, in: tenant) else { throw ControlError.userNotFound }
            return (.user(user.id), user.name)
        }
    }

    fileprivate func selector(
        _ target: GrantService.Target, in tenant: ID<Tenant>
    ) throws -> (Grant.Selector, Machine?) {
        switch target {
        case .all: return (.all, nil)
        case .tag(let tag): return (.tag(tag), nil)
        case .organization(let name): return (.organization(name.rawValue), nil)
        case .site(let name): return (.site(name.rawValue), nil)
        case .machine(let text):
            guard let machine = try machine(named: text, orCalled: text, in: tenant) else {
                throw ControlError.machineNotFound
            }
            return (.machine(machine.id), machine)
        }
    }

    fileprivate func describe(_ grant: Grant) throws -> GrantService.Described {
        var userName: String?
        if case .user(let id) = grant.subject { userName = try user(id)?.name }
        var machine: Machine?
        if case .machine(let id) = grant.selector { machine = try self.machine(id, in: grant.tenant) }
        return GrantService.Described(grant: grant, userName: userName, machine: machine)
    }

    /// By name first, as people call them; else by `agent_id` or id.
    func machine(named name: String, orCalled text: String, in tenant: ID<Tenant>) throws -> Machine? {
        try machine(named: name, in: tenant) ?? machine(called: text, in: tenant)
    }
}
