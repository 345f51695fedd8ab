import GateModel
import GateStore
import Logging

/// Which user somebody is whom a provider vouches for, and what that user may be.
struct OutsideAccounts: Sendable {
    /// Somebody as the provider's token says.
    struct Claimant: Sendable {
        let issuer: String
        let subject: OutsideSubject
        /// What their groups give here; nil: nothing.
        let role: Role?
        /// Whether an account made for them goes on following that.
        let givesRole: Bool
        /// What the provider calls them, for a new account's name; worth nothing else.
        let names: [String]
    }

    /// What became of it, to be acted on after the commit.
    struct Settled: Sendable {
        var user: User
        let identity: ID<OutsideIdentity>
        var change: UserChange?
        /// Why they don't come in all the same.
        var refusal: ControlError?
    }

    let dependencies: ControlDependencies

    /// Finds or makes the user, and brings the role up to date. A refusal that has to be stored is a value; one that
    /// changes nothing is thrown.
    func settle(
        _ claimant: Claimant, source: String, at now: Timestamp, in tx: any Transaction
    ) throws -> Settled {
        guard let (identity, user) = try tx.identity(issuer: claimant.issuer, subject: claimant.subject.rawValue) else {
            guard let role = claimant.role else { throw ControlError.noRole }
            return try add(claimant, role: role, source: source, at: now, in: tx)
        }
        var settled = try follow(claimant, identity, user, source: source, at: now, in: tx)
        guard settled.refusal == nil else { return settled }
        guard settled.user.disabledAt == nil else { throw ControlError.accountDisabled }
        if !settled.user.allowFrom.admits(source) { settled.refusal = .addressNotAllowed }
        return settled
    }

    /// The user's role as the provider says it now: where it says none, the account is disabled until it says one again.
    func follow(
        _ claimant: Claimant, _ identity: OutsideIdentity, _ user: User, source: String, at now: Timestamp,
        in tx: any Transaction
    ) throws -> Settled {
        var settled = Settled(user: user, identity: identity.id)
        guard identity.givesRole, claimant.givesRole else { return settled }
        var details: [(name: String, value: String)] = []
        if let role = claimant.role {
            if identity.withdrawnAt != nil {
                settled.user.disabledAt = nil
                try tx.setWithdrawn(nil, of: identity.id)
                details.append(("disabled", "false"))
            }
            // An administrator disabled them: the provider's groups don't undo that.
            guard settled.user.disabledAt == nil else { return settled }
            if role != user.role {
                settled.user.role = role
                details.append(("role", role.rawValue))
            }
        } else {
            settled.refusal = .noRole
            guard user.disabledAt == nil else { return settled }
            settled.user.disabledAt = now
            try tx.setWithdrawn(now, of: identity.id)
            details.append(("disabled", "true"))
        }
        guard !details.isEmpty else { return settled }
        let stored = try dependencies.store(settled.user, before: user, at: now, in: tx)
        settled.change = stored
        details += [("by", "identity-provider"), ("issuer", claimant.issuer)]
        if stored.leavesNoAdministrator { details.append(("last_administrator", "true")) }
        try tx.appendAudit(
            dependencies.ownEvent(
                .userChanged, tenant: user.tenant, subject: "user:\(user.id)",
                severity: stored.leavesNoAdministrator ? .critical : .info, source: source, at: now, details: details))
        return settled
    }

    private func add(
        _ claimant: Claimant, role: Role, source: String, at now: Timestamp, in tx: any Transaction
    ) throws -> Settled {
        let tenant = dependencies.identity.tenant
        guard try tx.userCount(in: tenant) < UserService.limit else {
            throw ControlError.limitReached("A tenant may have \(UserService.limit) users.")
        }
        let name = try OutsideName.free(claimant.names) { name in try tx.user(named: name, in: tenant) == nil }
        let user = User(id: .random(), tenant: tenant, name: name, role: role, createdAt: now)
        let identity = OutsideIdentity(
            id: .random(), tenant: tenant, user: user.id, issuer: claimant.issuer, subject: claimant.subject.rawValue,
            givesRole: claimant.givesRole, createdAt: now)
        try tx.insertUser(user)
        try tx.insertIdentity(identity)
        try tx.appendAudit(
            dependencies.ownEvent(
                .userAdded, subject: "user:\(user.id)", source: source, at: now,
                details: [
                    ("name", name), ("kind", user.kind.rawValue), ("role", role.rawValue),
                    ("by", "identity-provider"), ("issuer", claimant.issuer), ("subject", claimant.subject.rawValue),
                ]))
        return Settled(user: user, identity: identity.id)
    }

    /// After the commit: drops what memory knew, ends what may no longer be, and says what has to be said loudly.
    func finish(_ settled: Settled) async throws {
        guard let change = settled.change else { return }
        if change.leavesNoAdministrator {
            dependencies.logger.error(
                "the identity provider took the role of the last administrator: the operator on this host can make another, 'tidegate user set NAME --role admin' with the gateway's admin.sock",
                metadata: ["gate.user": "\(settled.user.id)"])
        }
        try await dependencies.settle(change)
    }
}

/// A new account's name, from what the provider calls somebody. It is never looked up as one: who is called like an existing
/// user gets another name, and not the user.
enum OutsideName {
    static let longest = 48

    static func free(_ texts: [String], isFree: (String) throws -> Bool) throws -> String {
        let base = texts.lazy.compactMap(readable).first ?? "user"
        if try isFree(base) { return base }
        for number in 2...50 where try isFree("\(base)-\(number)") { return "\(base)-\(number)" }
        return "\(base)-\(TypedCode.make(8).lowercased())"
    }

    /// Letters, digits and what a user's name may have besides; nil when too little is left to know somebody by.
    static func readable(_ text: String) -> String? {
        // Of an e-mail address the part before the '@': the rest is the same for everybody.
        let local = text.prefix { $0 != "@" }.lowercased()
        var name = ""
        for byte in local.utf8.prefix(256) where name.utf8.count < longest {
            let isPlain = (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte)
            if isPlain || "._+".utf8.contains(byte) {
                name.unicodeScalars.append(Unicode.Scalar(byte))
            } else if !name.isEmpty, name.last != "-" {
                name += "-"
            }
        }
        let trimmed = name.drop { !$0.isLetter && !$0.isNumber }
        let word = String(trimmed.reversed().drop { !$0.isLetter && !$0.isNumber }.reversed())
        guard word.utf8.count >= 2 else { return nil }
        return UserName(rawValue: word)?.rawValue
    }
}
