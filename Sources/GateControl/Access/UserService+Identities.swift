public import GateModel
import GateStore

/// Which outside identities are a user's. A link made here leaves the role to administrators; the provider says who somebody
/// is and nothing else.
extension UserService {
    public static let identityLimit = 20

    /// Throws `nameTaken` for one that is somebody's already.
    public func link(
        _ name: UserName, issuer: OutsideIssuer, subject: OutsideSubject, by caller: Caller
    ) async throws -> OutsideIdentity {
        try caller.require(.accessWrite)
        let now = dependencies.now()
        return try await dependencies.database.write { [dependencies] tx in
            guard let user = try tx.user(named: name.rawValue, in: caller.tenant) else {
                throw ControlError.userNotFound
            }
            guard user.kind == .person else {
                throw ControlError.notPossible("A program signs in with no provider; make a service token for it.")
            }
            guard try tx.identity(issuer: issuer.rawValue, subject: subject.rawValue) == nil else {
                throw ControlError.notPossible("This identity is a user's already; unlink it there first.")
            }
            guard try tx.identities(of: user.id).count < Self.identityLimit else {
                throw ControlError.limitReached("A user may have \(Self.identityLimit) outside identities.")
            }
            let identity = OutsideIdentity(
                id: .random(), tenant: user.tenant, user: user.id, issuer: issuer.rawValue, subject: subject.rawValue,
                givesRole: false, createdAt: now)
            try tx.insertIdentity(identity)
            try tx.appendAudit(
                dependencies.event(
                    .identityLinked, by: caller, subject: "user:\(user.id)", severity: .warning, at: now,
                    details: [("issuer", issuer.rawValue), ("subject", subject.rawValue)]))
            return identity
        }
    }

    /// Oldest first.
    public func identities(of name: UserName, by caller: Caller) async throws -> [OutsideIdentity] {
        try caller.require(.accessRead)
        return try await dependencies.database.read { tx in
            guard let user = try tx.user(named: name.rawValue, in: caller.tenant) else {
                throw ControlError.userNotFound
            }
            return try tx.identities(of: user.id)
        }
    }

    /// The sessions that were begun with it end before this returns. Throws `identityNotFound`.
    public func unlink(
        _ id: ID<OutsideIdentity>, from name: UserName, sessions: SessionService, by caller: Caller
    ) async throws {
        try caller.require(.accessWrite)
        let now = dependencies.now()
        let ended = try await dependencies.database.write { [dependencies] tx in
            guard let user = try tx.user(named: name.rawValue, in: caller.tenant) else {
                throw ControlError.userNotFound
            }
            guard try tx.deleteIdentity(id, of: user.id) else { throw ControlError.identityNotFound }
            try tx.appendAudit(
                dependencies.event(
                    .identityUnlinked, by: caller, subject: "user:\(user.id)", severity: .warning, at: now,
                    details: [("identity", id.text)]))
            return try tx.endSessions(of: id, at: now)
        }
        sessions.ended(ended)
    }
}
