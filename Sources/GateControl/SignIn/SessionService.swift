public import GateModel
import GateStore

/// How long browsers' sessions last.
public struct SessionPolicy: Sendable {
    /// Without use, and in any case.
    public var idle: Duration
    public var absolute: Duration

    public init(idle: Duration = .seconds(12 * 3_600), absolute: Duration = .seconds(7 * 86_400)) {
        self.idle = idle
        self.absolute = absolute
    }
}

/// A session that has just begun, with what the browser gets of it.
public struct SignedIn: Sendable {
    public let session: Session
    public let user: User
    /// For the cookie alone.
    public let cookie: Secret<String>
    /// For the session's own pages alone; every change asks for it.
    public let forgeryToken: String
}

/// Browsers' sessions: the cookie is random, its digest is in the store, and ending one ends it there.
public struct SessionService: Sendable {
    /// Living sessions one user may have; a further one ends the oldest.
    public static let limit = 20
    /// A use is written down once in this time.
    static let resolution = Duration.seconds(60)

    private let dependencies: ControlDependencies
    private let masterKey: MasterKey
    public let policy: SessionPolicy

    init(_ dependencies: ControlDependencies, masterKey: MasterKey, policy: SessionPolicy) {
        self.dependencies = dependencies
        self.masterKey = masterKey
        self.policy = policy
    }

    /// Who the cookie stands for; nil for one that is unknown, ended, idle or expired, or of a disabled user. Throws
    /// `addressNotAllowed` where its user may not come from here.
    public func verify(cookie: String, source: String) async throws -> (session: Session, user: User)? {
        guard CredentialKind(shapeOf: cookie) == .session else { return nil }
        let now = dependencies.now()
        let digest = CredentialDigest(of: cookie)
        guard
            let (session, user) = try dependencies.database.readNow({ tx in try tx.liveSession(digest: digest, at: now)
            })
        else {
            dependencies.refusals.note(.init(kind: "session", reason: "unknown", source: source, credential: ""))
            return nil
        }
        guard user.allowFrom.admits(source) else {
            dependencies.refusals.note(
                .init(kind: "session", reason: "address", source: source, credential: "session:\(session.id)"))
            throw ControlError.addressNotAllowed
        }
        if now - session.lastUsedAt >= Self.resolution {
            let idleUntil = min(now + policy.idle, session.expiresAt)
            // A store that can't be written to must not sign people out.
            try? await dependencies.database.write { tx in
                try tx.touchSession(session.id, at: now, idleUntil: idleUntil)
            }
        }
        return (session, user)
    }

    public func forgeryToken(of session: ID<Session>) -> String { masterKey.forgeryToken(of: session) }

    public func isForgeryToken(_ text: String, of session: ID<Session>) -> Bool {
        isSame(Array(text.utf8), Array(forgeryToken(of: session).utf8))
    }

    /// Living sessions of the caller, newest first.
    public func list(by caller: Caller) async throws -> [Session] {
        let user = try caller.requirePerson()
        let now = dependencies.now()
        return try await dependencies.database.read { tx in try tx.sessions(of: user.id, at: now) }
    }

    /// Idempotent for a session that ended before; throws `sessionNotFound` for one that never was the caller's.
    public func end(_ id: ID<Session>, by caller: Caller) async throws {
        let user = try caller.requirePerson()
        let now = dependencies.now()
        try await dependencies.database.write { [dependencies] tx in
            guard try tx.endSession(id, of: user.id, at: now) else {
                guard try tx.hasSession(id, of: user.id) else { throw ControlError.sessionNotFound }
                return
            }
            try tx.appendAudit(dependencies.event(.sessionRevoked, by: caller, subject: "session:\(id)", at: now))
        }
        self.ended([id])
    }

    /// What a logout ended.
    public struct Logout: Sendable, Equatable {
        public let sessions: Int
        public let isTokenRevoked: Bool

        public init(sessions: Int, isTokenRevoked: Bool) {
            self.sessions = sessions
            self.isTokenRevoked = isTokenRevoked
        }
    }

    /// Ends the credential of the request and, unless told otherwise, every session of its user with what hangs on it. A
    /// token too narrow to manage tokens ends itself alone.
    public func logOut(everywhere: Bool, by caller: Caller) async throws -> Logout {
        let user = try caller.requirePerson()
        guard case .user(_, let credential, _) = caller.principal else { throw ControlError.forbidden }
        let now = dependencies.now()
        let all = everywhere && caller.has(.tokens)
        let (ended, isRevoked) = try await dependencies.database.write { [dependencies] tx in
            var (ended, isRevoked): ([ID<Session>], Bool) = ([], false)
            if case .session(let own) = credential, try tx.endSession(own, of: user.id, at: now) { ended = [own] }
            if case .token(let token) = credential, try tx.revokeToken(token, of: user.id, at: now) {
                isRevoked = true
                try tx.appendAudit(
                    dependencies.event(.tokenRevoked, by: caller, subject: "token:\(token)", at: now))
            }
            if all {
                ended += try tx.endSessions(of: user.id, at: now)
                try tx.deletePendingSignIns(of: user.id)
            }
            if !ended.isEmpty {
                try tx.appendAudit(
                    dependencies.event(
                        .logout, by: caller, subject: "user:\(user.id)", at: now,
                        details: [("count", String(ended.count))]))
            }
            return (ended, isRevoked)
        }
        if case .token(let token) = credential { dependencies.credentials.drop { $0.usesToken(token) } }
        self.ended(ended)
        return Logout(sessions: ended.count, isTokenRevoked: isRevoked)
    }

    /// Closes the sockets that these sessions opened. To be called after the commit that ended them.
    func ended(_ sessions: [ID<Session>]) {
        guard !sessions.isEmpty else { return }
        let ended = Set(sessions)
        dependencies.credentials.streams.end { principal in
            if case .user(_, .session(let session), _) = principal { ended.contains(session) } else { false }
        }
    }

    /// A new session, in the transaction that decides whether there may be one. What it displaced is to be given to `ended`.
    func begin(
        _ user: User, method: Session.Method, voucher: Session.Voucher? = nil, secondFactorAt: Timestamp?,
        source: String, client: Label, at now: Timestamp, in tx: any Transaction
    ) throws -> (signedIn: SignedIn, displaced: [ID<Session>]) {
        let minted = MintedCredential(.session)
        let expires = now + policy.absolute
        let session = Session(
            id: .ordered(at: now), tenant: user.tenant, user: user.id, method: method, source: source,
            client: client.rawValue, createdAt: now, lastUsedAt: now, idleUntil: min(now + policy.idle, expires),
            expiresAt: expires, secondFactorAt: secondFactorAt, voucher: voucher)
        let displaced = try tx.endOldestSessions(of: user.id, beyond: Self.limit - 1, at: now)
        try tx.insertSession(session, digest: minted.digest)
        try tx.appendAudit(
            dependencies.event(
                .loginSucceeded,
                by: Caller(principal: .user(user, in: session.id), source: source),
                subject: "user:\(user.id)", at: now,
                details: [
                    ("method", method.rawValue), ("second_factor", secondFactorAt == nil ? "none" : "given"),
                    ("client", client.rawValue),
                ]))
        let token = masterKey.forgeryToken(of: session.id)
        return (SignedIn(session: session, user: user, cookie: minted.text, forgeryToken: token), displaced)
    }

    /// Ends what ended by itself, with the sockets it opened.
    func sweep() async throws {
        let now = dependencies.now()
        let old = now - .seconds(30 * 86_400)
        // Looked at first: a commit each second, for nothing, would keep the disk awake.
        guard try await dependencies.database.read({ tx in try tx.hasOldSignIns(sessionsBefore: old, at: now) }) else {
            return
        }
        let ended = try await dependencies.database.write { tx in
            try tx.deleteOldSignIns(sessionsBefore: old, at: now, limit: 500)
            try tx.deleteOldDevices(at: now, limit: 500)
            return try tx.expireSessions(at: now, limit: 500)
        }
        self.ended(ended)
    }
}

extension Caller {
    /// The person who asks, by token or session; throws `forbidden` for programs, nodes and machines, and for the operator,
    /// who is no user.
    func requirePerson() throws(ControlError) -> User {
        switch principal {
        case .user(let user, .token, _) where user.kind == .person: return user
        case .user(let user, .session, _) where user.kind == .person: return user
        case .user, .localAdministrator, .machine, .environment: throw .forbidden
        }
    }
}
