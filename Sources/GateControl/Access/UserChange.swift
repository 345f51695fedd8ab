import GateModel
import GateStore

/// A user as they were stored anew, with what has to end because of it.
struct UserChange: Sendable {
    let user: User
    /// Fingerprints of their nodes' tunnel keys, revoked with it.
    let nodeKeys: [String]
    /// Nobody could manage the tenant any more.
    let leavesNoAdministrator: Bool
}

extension ControlDependencies {
    /// Stores the user's role, addresses and whether they are disabled, in the transaction that decides about them.
    func store(
        _ user: User, before: User, at now: Timestamp, in tx: any Transaction
    ) throws(StoreError) -> UserChange {
        try tx.updateUser(user)
        let leaves = before.isAdministrator ? try tx.enabledAdministratorCount(in: user.tenant) == 0 : false
        // Their nodes' tunnels: what no node of theirs could open any more doesn't stay open either.
        let isOut = user.disabledAt != nil || !user.role.scopes.contains(.machinesWrite)
        let keys = isOut ? try tx.revokeNodeTunnelKeys(of: user.id, at: now).map(\.fingerprint) : []
        return UserChange(user: user, nodeKeys: keys, leavesNoAdministrator: leaves)
    }

    /// After the commit: what they may no longer have is gone when this returns.
    func settle(_ change: UserChange) async throws {
        credentials.drop { $0.user?.id == change.user.id }
        if !change.nodeKeys.isEmpty { await cut(keys: change.nodeKeys) }
        try await decideAnew(.user(change.user.id), in: change.user.tenant)
    }

    /// Nobody knows whether a change was stored.
    func settleUnknown() {
        keys.dropAll()
        credentials.dropAll()
    }
}

extension User {
    /// A person who can manage the tenant.
    var isAdministrator: Bool { role == .admin && kind == .person && disabledAt == nil }
}
