public import GateModel
import GateStore
import Logging

/// Time-based codes (RFC 6238) and recovery codes for those who have lost what makes them.
public struct SecondFactorService: Sendable {
    static let recoveryCodes = 10
    /// 52 bits each.
    static let recoveryLength = 12
    static let column = "user_totp.seed"

    private let dependencies: ControlDependencies
    private let masterKey: MasterKey
    private let passwords: PasswordCheck
    /// Ten tries in hand, one back each thirty seconds: three of a million codes are right at a time, so guessing takes
    /// years, and whoever guesses knows the password already.
    private let budget = TryBudget<ID<User>>(tries: 10, perTry: .seconds(30))

    init(_ dependencies: ControlDependencies, masterKey: MasterKey, passwords: PasswordCheck) {
        self.dependencies = dependencies
        self.masterKey = masterKey
        self.passwords = passwords
    }

    /// What a person needs to set their authenticator program up with.
    public struct Offer: Sendable {
        /// Base32.
        public let seed: Secret<String>
        /// `otpauth://totp/…`
        public let uri: Secret<String>
    }

    public struct Status: Sendable {
        public let isEnabled: Bool
        public let recoveryCodesLeft: Int
    }

    public func status(by caller: Caller) async throws -> Status {
        let user = try caller.requirePerson()
        return try await dependencies.database.read { tx in
            Status(
                isEnabled: try tx.hasConfirmedTOTP(user.id), recoveryCodesLeft: try tx.unusedRecoveryCodes(of: user.id))
        }
    }

    /// A new seed, which counts once a code from it was confirmed. Asks for the password: with a session or a token alone,
    /// a thief could lock its owner out.
    public func offer(password: String?, by caller: Caller) async throws -> Offer {
        let user = try caller.requirePerson()
        try await passwords.confirm(password, of: user, source: caller.source)
        let seed = randomBytes(OneTimeCode.seedLength)
        let sealed = try masterKey.seal(seed, at: place(user.id))
        let now = dependencies.now()
        try await dependencies.database.write { tx in
            guard try tx.offerTOTP(seed: sealed, of: user, at: now) else {
                throw ControlError.notPossible("A second factor is set up already; disable it first.")
            }
        }
        return Offer(
            seed: Secret(BaseEncoding.base32(seed)),
            uri: Secret(OneTimeCode.uri(seed: seed, issuer: "Tidegate", account: user.name)))
    }

    /// Switches it on with a first code; the recovery codes, shown this once.
    public func confirm(code: String, by caller: Caller) async throws -> [Secret<String>] {
        let user = try caller.requirePerson()
        let now = dependencies.now()
        try budget.take(user.id, at: now)
        let codes = Self.makeRecoveryCodes()
        try await dependencies.database.write { [self] tx in
            guard let totp = try tx.totp(of: user.id) else {
                throw ControlError.notPossible("No second factor was offered yet; begin with that.")
            }
            guard !totp.isConfirmed else { throw ControlError.notPossible("It is switched on already.") }
            guard try consumeCode(code, sealed: totp.seed, of: user.id, at: now, in: tx) else {
                throw ControlError.secondFactorRefused
            }
            try tx.confirmTOTP(of: user.id, at: now)
            try tx.replaceRecoveryCodes(codes.map(digest), of: user, at: now)
            if let session = caller.principal.session { try tx.noteSecondFactor(session: session, at: now) }
            try tx.appendAudit(
                dependencies.event(.totpEnabled, by: caller, subject: "user:\(user.id)", at: now))
        }
        budget.giveBack(user.id, at: now)
        return codes.map { Secret(TypedCode.shown($0)) }
    }

    /// Fresh recovery codes in the place of all before.
    public func replaceRecoveryCodes(code: String, by caller: Caller) async throws -> [Secret<String>] {
        let user = try caller.requirePerson()
        let codes = Self.makeRecoveryCodes()
        try await withCode(code, of: user, by: caller) { [self] tx, now in
            try tx.replaceRecoveryCodes(codes.map(digest), of: user, at: now)
            try tx.appendAudit(
                dependencies.event(.recoveryCodesReplaced, by: caller, subject: "user:\(user.id)", at: now))
        }
        return codes.map { Secret(TypedCode.shown($0)) }
    }

    public func disable(code: String, by caller: Caller) async throws {
        let user = try caller.requirePerson()
        try await withCode(code, of: user, by: caller) { [dependencies] tx, now in
            _ = try tx.deleteTOTP(of: user.id)
            try tx.appendAudit(
                dependencies.event(
                    .totpDisabled, by: caller, subject: "user:\(user.id)", severity: .warning, at: now))
        }
    }

    /// For somebody who lost everything: an administrator takes another user's second factor away.
    public func reset(userNamed name: String, by caller: Caller) async throws {
        try caller.require(.accessWrite)
        let now = dependencies.now()
        try await dependencies.database.write { [dependencies] tx in
            guard let user = try tx.user(named: name, in: caller.tenant) else { throw ControlError.userNotFound }
            // One's own goes with a code, so that a stolen token can't take it away.
            guard caller.principal.user?.id != user.id else { throw ControlError.forbidden }
            guard try tx.deleteTOTP(of: user.id) else { return }
            try tx.appendAudit(
                dependencies.event(
                    .totpReset, by: caller, subject: "user:\(user.id)", severity: .warning, at: now))
        }
    }

    // MARK: For sign-in

    /// Uses up a code or a recovery code, in the transaction that acts on it. Throws `secondFactorRefused` for a wrong one.
    func consume(_ text: String, of user: User, at now: Timestamp, in tx: any Transaction) throws {
        guard let totp = try tx.totp(of: user.id), totp.isConfirmed else { throw ControlError.secondFactorRefused }
        if try consumeCode(text, sealed: totp.seed, of: user.id, at: now, in: tx) { return }
        guard let recovery = TypedCode.normalised(text, count: Self.recoveryLength),
            try tx.consumeRecoveryCode(digest(recovery), of: user.id, at: now)
        else { throw ControlError.secondFactorRefused }
        try tx.appendAudit(
            dependencies.ownEvent(
                .recoveryCodeUsed, tenant: user.tenant, subject: "user:\(user.id)", severity: .warning, at: now))
    }

    /// Before a code is looked at; throws `tooManyAttempts`.
    func takeTry(of user: ID<User>, at now: Timestamp) throws { try budget.take(user, at: now) }
    func giveBackTry(of user: ID<User>, at now: Timestamp) { budget.giveBack(user, at: now) }

    func noteRefusal(of user: ID<User>, source: String) {
        dependencies.refusals.note(
            .init(kind: "second-factor", reason: "wrong-code", source: source, credential: "user:\(user)"))
    }

    private func withCode(
        _ code: String, of user: User, by caller: Caller,
        _ change: @escaping @Sendable (any Transaction, Timestamp) throws -> Void
    ) async throws {
        let now = dependencies.now()
        try budget.take(user.id, at: now)
        do {
            try await dependencies.database.write { [self] tx in
                guard try tx.hasConfirmedTOTP(user.id) else {
                    throw ControlError.notPossible("No second factor is switched on.")
                }
                try consume(code, of: user, at: now, in: tx)
                try change(tx, now)
            }
        } catch ControlError.secondFactorRefused {
            noteRefusal(of: user.id, source: caller.source)
            throw ControlError.secondFactorRefused
        }
        budget.giveBack(user.id, at: now)
    }

    private func consumeCode(
        _ text: String, sealed: [UInt8], of user: ID<User>, at now: Timestamp, in tx: any Transaction
    ) throws -> Bool {
        guard let code = OneTimeCode.normalised(text) else { return false }
        guard let seed = try? masterKey.open(sealed, at: place(user)) else {
            dependencies.logger.error("a sealed secret doesn't open: the master key was changed")
            throw ControlError.secretsUnreadable
        }
        guard let step = OneTimeCode.step(of: code, seed: seed, at: now) else { return false }
        return try tx.consumeTOTPStep(step, of: user)
    }

    private func place(_ user: ID<User>) -> MasterKey.Place { .init(column: Self.column, row: user.text) }

    private func digest(_ code: String) -> [UInt8] { masterKey.digest(code, use: "recovery code") }

    private static func makeRecoveryCodes() -> [String] {
        (0..<recoveryCodes).map { _ in TypedCode.make(recoveryLength) }
    }
}
