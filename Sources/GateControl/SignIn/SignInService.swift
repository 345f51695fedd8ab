public import GateModel
import GateStore

/// Signing in with a password and, where the account has one, a second factor; and changing passwords.
public struct SignInService: Sendable {
    public static let pendingLifetime = Duration.seconds(300)
    static let wrongCodes = 5

    private let dependencies: ControlDependencies
    private let passwords: PasswordCheck
    private let sessions: SessionService
    private let secondFactor: SecondFactorService

    init(
        _ dependencies: ControlDependencies, passwords: PasswordCheck, sessions: SessionService,
        secondFactor: SecondFactorService
    ) {
        self.dependencies = dependencies
        self.passwords = passwords
        self.sessions = sessions
        self.secondFactor = secondFactor
    }

    /// A right password, or one that waits for its code.
    public enum Outcome: Sendable {
        case signedIn(SignedIn)
        /// For a cookie that lives five minutes: `complete` takes it with the code.
        case secondFactor(pending: Secret<String>)
    }

    /// Signs in at once. Throws `secondFactorRequired` when a code is needed and `code` is nil.
    public func signIn(
        name: String, password: String, code: String?, source: String, client: Label
    ) async throws -> SignedIn {
        let passed = try await passwords.check(name: name, password: password, source: source)
        return try await begin(passed, code: code, source: source, client: client)
    }

    /// The first of two steps: for a page that asks for the code afterwards.
    public func signIn(name: String, password: String, source: String, client: Label) async throws -> Outcome {
        let passed = try await passwords.check(name: name, password: password, source: source)
        do {
            return .signedIn(try await begin(passed, code: nil, source: source, client: client))
        } catch ControlError.secondFactorRequired {
            let minted = MintedCredential(.pendingSignIn)
            let now = dependencies.now()
            try await dependencies.database.write { tx in
                guard try tx.passwordHash(of: passed.user.id) == passed.hash else { throw ControlError.signInRefused }
                try tx.insertPendingSignIn(
                    digest: minted.digest, user: passed.user, method: .password, at: now,
                    expires: now + Self.pendingLifetime)
            }
            return .secondFactor(pending: minted.text)
        }
    }

    /// The second step. Throws `signInRefused` when the first is too old, used up, or had five wrong codes.
    public func complete(pending: String, code: String, source: String, client: Label) async throws -> SignedIn {
        guard CredentialKind(shapeOf: pending) == .pendingSignIn else { throw ControlError.signInRefused }
        let digest = CredentialDigest(of: pending)
        let now = dependencies.now()
        guard
            let waiting = try await dependencies.database.read({ tx in
                try tx.pendingSignIn(digest: digest, wrongCodes: Self.wrongCodes, at: now)
            })
        else { throw ControlError.signInRefused }
        let user = waiting.user
        try secondFactor.takeTry(of: user.id, at: now)
        let (signedIn, displaced): (SignedIn?, [ID<Session>]) = try await dependencies.database.write {
            [sessions, secondFactor] tx in
            guard try tx.pendingSignIn(digest: digest, wrongCodes: Self.wrongCodes, at: now) != nil else {
                throw ControlError.signInRefused
            }
            do {
                try secondFactor.consume(code, of: user, at: now, in: tx)
            } catch ControlError.secondFactorRefused {
                // Counted by this commit, so the answer is a value.
                try tx.countWrongCode(pending: digest)
                return (nil, [])
            }
            guard try tx.consumePendingSignIn(digest: digest, at: now) else { throw ControlError.signInRefused }
            let begun = try sessions.begin(
                user, method: waiting.method, voucher: waiting.voucher, secondFactorAt: now, source: source,
                client: client, at: now, in: tx)
            return (begun.signedIn, begun.displaced)
        }
        sessions.ended(displaced)
        guard let signedIn else {
            secondFactor.noteRefusal(of: user.id, source: source)
            throw ControlError.secondFactorRefused
        }
        secondFactor.giveBackTry(of: user.id, at: now)
        return signedIn
    }

    /// Sets a password and ends every session of its user. One's own asks for the present one; another user's is an
    /// administrator's to set. The operator on the gateway's host names the user.
    public func setPassword(
        ofUserNamed name: String?, current: String?, new: String, by caller: Caller
    ) async throws {
        let user = try await subject(named: name, by: caller)
        var passed: PasswordCheck.Passed?
        if isOwn(user, caller) {
            passed = try await passwords.confirm(
                current, field: "current_password", of: user, source: caller.source)
        }
        guard PasswordRule.allows(new, name: user.name) else {
            throw ControlError.invalid(field: "new_password", rule: PasswordRule.words)
        }
        let hash = try await passwords.slots.run(weight: 0) { try PasswordHash(of: new).text }
        let now = dependencies.now()
        let ended = try await dependencies.database.write { [dependencies, passed] tx in
            if isOwn(user, caller) {
                // Changed by somebody else meanwhile: the password that was confirmed isn't the present one.
                guard try tx.passwordHash(of: user.id) == passed?.hash else { throw ControlError.signInRefused }
                // With one of their own, somebody would go on coming in whom the provider doesn't stand by any more.
                if passed == nil, try tx.identities(of: user.id).contains(where: \.givesRole) {
                    throw ControlError.notPossible(
                        "Your identity provider signs you in and says what you may do; ask an administrator for a password."
                    )
                }
            }
            try tx.setPasswordHash(hash, of: user, at: now)
            try tx.deletePendingSignIns(of: user.id)
            let ended = try tx.endSessions(of: user.id, at: now)
            try tx.appendAudit(
                dependencies.event(
                    .passwordChanged, by: caller, subject: "user:\(user.id)", severity: .warning, at: now,
                    details: [("sessions_ended", String(ended.count))]))
            return ended
        }
        sessions.ended(ended)
    }

    /// What a person may know about how they are signed in.
    public struct Status: Sendable {
        public let user: User
        /// The id of the token or session used.
        public let credential: String
        public let expiresAt: Timestamp?
        public let hasPassword: Bool
        public let hasSecondFactor: Bool
        public let recoveryCodesLeft: Int
        public let sessions: Int
    }

    public func status(by caller: Caller) async throws -> Status {
        let user = try caller.requirePerson()
        let now = dependencies.now()
        return try await dependencies.database.read { tx in
            let sessions = try tx.sessions(of: user.id, at: now)
            let credential: String
            var expiresAt: Timestamp?
            switch caller.principal {
            case .user(_, .token(let token), _):
                credential = token.text
                expiresAt = try tx.token(token, of: user.id)?.expiresAt
            case .user(_, .session(let session), _):
                credential = session.text
                expiresAt = sessions.first { $0.id == session }?.expiresAt
            case .user, .localAdministrator, .machine, .environment: throw ControlError.forbidden
            }
            return Status(
                user: user, credential: credential, expiresAt: expiresAt,
                hasPassword: try tx.passwordHash(of: user.id) != nil,
                hasSecondFactor: try tx.hasConfirmedTOTP(user.id),
                recoveryCodesLeft: try tx.unusedRecoveryCodes(of: user.id), sessions: sessions.count)
        }
    }

    private func subject(named name: String?, by caller: Caller) async throws -> User {
        guard let name else { return try caller.requirePerson() }
        if let own = try? caller.requirePerson(), own.name == name { return own }
        try caller.require(.accessWrite)
        let user = try await dependencies.database.read { tx in try tx.user(named: name, in: caller.tenant) }
        guard let user else { throw ControlError.userNotFound }
        guard user.kind == .person else {
            throw ControlError.notPossible("A program has no password; make a service token for it.")
        }
        return user
    }

    private func begin(
        _ passed: PasswordCheck.Passed, code: String?, source: String, client: Label
    ) async throws -> SignedIn {
        let now = dependencies.now()
        let id = passed.user.id
        if code != nil { try secondFactor.takeTry(of: id, at: now) }
        do {
            let begun = try await dependencies.database.write { [sessions, secondFactor] tx in
                // Disabled, or another password, since it was checked: then this one is of yesterday.
                guard let user = try tx.user(id), user.disabledAt == nil,
                    try tx.passwordHash(of: id) == passed.hash
                else { throw ControlError.signInRefused }
                var secondFactorAt: Timestamp?
                if try tx.hasConfirmedTOTP(id) {
                    guard let code else { throw ControlError.secondFactorRequired }
                    try secondFactor.consume(code, of: user, at: now, in: tx)
                    secondFactorAt = now
                }
                return try sessions.begin(
                    user, method: .password, secondFactorAt: secondFactorAt, source: source, client: client, at: now,
                    in: tx)
            }
            sessions.ended(begun.displaced)
            if code != nil { secondFactor.giveBackTry(of: id, at: now) }
            return begun.signedIn
        } catch ControlError.secondFactorRefused {
            secondFactor.noteRefusal(of: id, source: source)
            throw ControlError.secondFactorRefused
        }
    }
}

private func isOwn(_ user: User, _ caller: Caller) -> Bool { caller.principal.user?.id == user.id }
