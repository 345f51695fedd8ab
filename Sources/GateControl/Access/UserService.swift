public import GateModel
import GateStore

/// People and programs with an account.
public struct UserService: Sendable {
    public static let limit = 10_000

    /// A parsed merge patch: nil leaves the field as it is.
    public struct Patch: Sendable {
        public var role: Role?
        public var allowFrom: [AddressBlock]?
        public var isDisabled: Bool?

        public init(role: Role? = nil, allowFrom: [AddressBlock]? = nil, isDisabled: Bool? = nil) {
            self.role = role
            self.allowFrom = allowFrom
            self.isDisabled = isDisabled
        }
    }

    private let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    public func add(
        name: UserName, kind: User.Kind, role: Role, allowFrom: [AddressBlock], by caller: Caller
    ) async throws -> User {
        try caller.require(.accessWrite)
        try Self.requireFit(role, kind)
        let now = dependencies.now()
        let user = User(
            id: .random(), tenant: caller.tenant, name: name.rawValue, kind: kind, role: role,
            allowFrom: allowFrom.map(\.text), createdAt: now)
        try await dependencies.database.write { [dependencies] tx in
            guard try tx.user(named: name.rawValue, in: caller.tenant) == nil else {
                throw ControlError.nameTaken(field: "name")
            }
            guard try tx.userCount(in: caller.tenant) < Self.limit else {
                throw ControlError.limitReached("A tenant may have \(Self.limit) users.")
            }
            try tx.insertUser(user)
            try tx.appendAudit(
                dependencies.event(
                    .userAdded, by: caller, subject: "user:\(user.id)", at: now,
                    details: [("name", user.name), ("kind", kind.rawValue), ("role", role.rawValue)]))
        }
        return user
    }

    /// By name; `after` is the last name of the page before.
    public func list(after: String?, limit: Int, by caller: Caller) async throws -> [User] {
        try caller.require(.accessRead)
        return try await dependencies.database.read { tx in
            try tx.users(in: caller.tenant, after: after, limit: limit)
        }
    }

    public func show(_ name: UserName, by caller: Caller) async throws -> User {
        try caller.require(.accessRead)
        return try await dependencies.database.read { tx in
            guard let user = try tx.user(named: name.rawValue, in: caller.tenant) else {
                throw ControlError.userNotFound
            }
            return user
        }
    }

    /// Answers with the user as stored. Disabling one, dropping a role or narrowing the addresses ends what they may no
    /// longer have before this returns.
    public func patch(_ name: UserName, _ patch: Patch, by caller: Caller) async throws -> User {
        try caller.require(.accessWrite)
        let now = dependencies.now()
        let (user, isChanged, nodeKeys): (User, Bool, [String])
        do {
            (user, isChanged, nodeKeys) = try await dependencies.database.write { [dependencies] tx in
                guard var user = try tx.user(named: name.rawValue, in: caller.tenant) else {
                    throw ControlError.userNotFound
                }
                let before = user
                let changes = try Self.apply(patch, to: &user, at: now)
                guard !changes.isEmpty else { return (user, false, []) }
                try tx.updateUser(user)
                if before.isAdministrator, try tx.enabledAdministratorCount(in: caller.tenant) == 0 {
                    throw ControlError.lastAdministrator
                }
                try tx.appendAudit(
                    dependencies.event(
                        .userChanged, by: caller, subject: "user:\(user.id)", at: now, details: changes))
                // Their nodes' tunnels: what no node of theirs could open any more doesn't stay open either.
                guard user.disabledAt != nil || !user.role.scopes.contains(.machinesWrite) else {
                    return (user, true, [])
                }
                return (user, true, try tx.revokeNodeTunnelKeys(of: user.id, at: now).map(\.fingerprint))
            }
        } catch let error as StoreError {
            dependencies.keys.dropAll()
            dependencies.credentials.dropAll()
            throw error
        }
        if isChanged { dependencies.credentials.drop { $0.user?.id == user.id } }
        if !nodeKeys.isEmpty { await dependencies.cut(keys: nodeKeys) }
        // Also when nothing changed: an earlier call may have died between its commit and the cut.
        try await dependencies.decideAnew(.user(user.id), in: user.tenant)
        return user
    }

    private static func apply(
        _ patch: Patch, to user: inout User, at now: Timestamp
    ) throws(ControlError) -> [(name: String, value: String)] {
        var changes: [(name: String, value: String)] = []
        if let role = patch.role, role != user.role {
            try requireFit(role, user.kind)
            changes.append(("role", role.rawValue))
            user.role = role
        }
        if let blocks = patch.allowFrom?.map(\.text), blocks != user.allowFrom {
            changes.append(("allow_from", blocks.joined(separator: " ")))
            user.allowFrom = blocks
        }
        if let isDisabled = patch.isDisabled, isDisabled != (user.disabledAt != nil) {
            changes.append(("disabled", String(isDisabled)))
            user.disabledAt = isDisabled ? now : nil
        }
        return changes
    }

    private static func requireFit(_ role: Role, _ kind: User.Kind) throws(ControlError) {
        guard kind == .service || !role.isForServicesOnly else {
            throw .invalid(field: "role", rule: "admin, operator or viewer for a person")
        }
    }
}

extension User {
    /// A person who can manage the tenant.
    fileprivate var isAdministrator: Bool { role == .admin && kind == .person && disabledAt == nil }
}
