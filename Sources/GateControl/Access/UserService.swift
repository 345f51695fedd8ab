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

    let dependencies: ControlDependencies

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
        let (user, change): (User, UserChange?)
        do {
            (user, change) = try await dependencies.database.write { [dependencies] tx in
                guard var user = try tx.user(named: name.rawValue, in: caller.tenant) else {
                    throw ControlError.userNotFound
                }
                let before = user
                // Also when they are disabled already: from now on by an administrator's word, which no provider undoes.
                if patch.isDisabled != nil { try tx.clearWithdrawn(of: user.id) }
                let changes = try Self.apply(patch, to: &user, at: now)
                guard !changes.isEmpty else { return (user, nil) }
                let change = try dependencies.store(user, before: before, at: now, in: tx)
                guard !change.leavesNoAdministrator else { throw ControlError.lastAdministrator }
                try tx.appendAudit(
                    dependencies.event(
                        .userChanged, by: caller, subject: "user:\(user.id)", at: now, details: changes))
                return (user, change)
            }
        } catch let error as StoreError {
            dependencies.settleUnknown()
            throw error
        }
        if let change {
            try await dependencies.settle(change)
        } else {
            // An earlier call may have died between its commit and the cut.
            try await dependencies.decideAnew(.user(user.id), in: user.tenant)
        }
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
