import GateModel
import GateStore

/// Checks passwords: damped, a few at a time, and in the same time whether there is such a user or not.
struct PasswordCheck: Sendable {
    /// A user whose password was right, and the hash that said so: what acts on it compares again in its transaction.
    struct Passed: Sendable {
        let user: User
        let hash: String
    }

    let dependencies: ControlDependencies
    let slots: HashingSlots
    let damping: SignInDamping

    /// Throws `signInRefused` for a wrong name or password and for a user who may not sign in, and `tooManyAttempts`.
    func check(name: String, password: String, source: String) async throws -> Passed {
        let tenant = dependencies.identity.tenant
        let (user, hash) = try await dependencies.database.read { tx in
            let user = try tx.user(named: name, in: tenant)
            return (user, try user.flatMap { user in try tx.passwordHash(of: user.id) })
        }
        let weight = try admit(name, source: source)
        // For the unknown name too, or the time would tell.
        let stored = hash.flatMap { PasswordHash(text: $0) }
        let compared = stored ?? .dummy()
        let isRight: Bool
        do {
            isRight = try await slots.run(weight: weight) { try compared.matches(password) }
        } catch {
            damping.giveBack(source: source, at: dependencies.now())
            throw error
        }
        guard isRight, stored != nil, let user, let hash, user.disabledAt == nil, user.kind == .person,
            user.allowFrom.admits(source)
        else {
            try await noteWrong(user: user, name: name, source: source)
            throw ControlError.signInRefused
        }
        damping.giveBack(source: source, at: dependencies.now())
        damping.right(source: source, account: name)
        return Passed(user: user, hash: hash)
    }

    /// For a user who is known and asks for something that a thief of their session or token must not get. Passes for one
    /// without a password, who has none to give.
    @discardableResult
    func confirm(
        _ password: String?, field: String = "password", of user: User, source: String
    ) async throws -> Passed? {
        let hasPassword = try await dependencies.database.read { tx in try tx.passwordHash(of: user.id) != nil }
        guard hasPassword else { return nil }
        guard let password else { throw ControlError.invalid(field: field, rule: "your present password") }
        let passed = try await check(name: user.name, password: password, source: source)
        guard passed.user.id == user.id else { throw ControlError.signInRefused }
        return passed
    }

    private func admit(_ name: String, source: String) throws -> Int {
        switch damping.admit(source: source, account: name, at: dependencies.now()) {
        case .admitted(let weight): return weight
        case .refused(let wait):
            dependencies.refusals.note(
                .init(kind: "password", reason: "too-many-attempts", source: source, credential: ""))
            throw ControlError.tooManyAttempts(retryAfter: wait)
        }
    }

    private static func reason(_ user: User?, source: String) -> String {
        guard let user else { return "unknown-user" }
        if user.disabledAt != nil { return "disabled-user" }
        return user.allowFrom.admits(source) ? "wrong-password" : "address"
    }

    private func noteWrong(user: User?, name: String, source: String) async throws {
        let now = dependencies.now()
        dependencies.refusals.note(
            .init(
                kind: "password",
                reason: Self.reason(user, source: source),
                source: source, credential: user.map { "user:\($0.id)" } ?? ""))
        guard damping.wrong(account: name, at: now), let user else { return }
        // Of known users only: people type passwords where the name goes.
        let event = dependencies.ownEvent(
            .loginAttacked, tenant: user.tenant, subject: "user:\(user.id)", severity: .warning, outcome: .refused,
            source: source, at: now)
        try await dependencies.record(event)
    }
}
