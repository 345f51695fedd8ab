import Crypto
public import GateModel
import GateStore
import Synchronization

/// Lets a program on another computer act for a person, without a browser there (RFC 8628).
///
/// A code that was phished must be noticed, and a link alone must approve nothing: the person is signed in, types the code
/// by hand, sees which program asks from where and when, and an administrator proves again who they are.
public struct DeviceService: Sendable {
    public static let lifetime = Duration.seconds(600)
    /// How often the program may ask.
    public static let interval = Duration.seconds(5)
    public static let tokenLifetime = Duration.seconds(30 * 86_400)
    public static let codeLength = 8
    static let waitingPerSource = 20
    static let waitingInAll = 1_000

    private let dependencies: ControlDependencies
    private let masterKey: MasterKey
    private let passwords: PasswordCheck
    private let secondFactor: SecondFactorService
    private let guesses = TryBudget<ID<User>>(tries: 5, perTry: .seconds(120))
    private let guessesBySource = TryBudget<String>(tries: 20, perTry: .seconds(30))
    private let pace = PollingPace()

    init(
        _ dependencies: ControlDependencies, masterKey: MasterKey, passwords: PasswordCheck,
        secondFactor: SecondFactorService
    ) {
        self.dependencies = dependencies
        self.masterKey = masterKey
        self.passwords = passwords
        self.secondFactor = secondFactor
    }

    /// What the asking program gets.
    public struct Begun: Sendable {
        public let device: DeviceAuthorization
        /// It polls with this.
        public let deviceCode: Secret<String>
        /// It shows this, in groups of four.
        public let userCode: String
    }

    /// What a person has to see before they answer.
    public struct Seen: Sendable {
        public let device: DeviceAuthorization
        /// Exactly what the program would get, from this person.
        public let scopes: Scopes
        /// Approving asks for a second factor or a password again.
        public let needsProof: Bool
    }

    /// What a signed-in person proves themselves with once more.
    public struct Proof: Sendable {
        public var password: String?
        public var code: String?

        public init(password: String? = nil, code: String? = nil) {
            self.password = password
            self.code = code
        }
    }

    /// How long after it began a session stands for its person's own presence, where nothing else can.
    static let freshness = Duration.seconds(300)

    /// `challenge` is SHA-256, in base64url, of a verifier that the program keeps to itself: the device code alone gets
    /// nothing. Throws `tooManyAttempts` when too many wait, `invalid` for a challenge that is none.
    public func begin(client: Label, scopes: Scopes?, challenge: String, source: String) async throws -> Begun {
        guard let challenge = BaseEncoding.bytes(base64URL: challenge), challenge.count == 32 else {
            throw ControlError.invalid(field: "code_challenge", rule: "SHA-256 of the verifier, in base64url")
        }
        guard !client.rawValue.isEmpty else { throw ControlError.invalid(field: "client_name", rule: "1 to 200 bytes") }
        let now = dependencies.now()
        let group = sourceGroup(source)
        // Read first: a stranger who asks too often must not cost a commit each time.
        let waiting = try await dependencies.database.read { tx in try tx.waitingDevices(source: group, at: now) }
        guard waiting.ofSource < Self.waitingPerSource, waiting.all < Self.waitingInAll else {
            throw ControlError.tooManyAttempts(retryAfter: .seconds(60))
        }
        let minted = MintedCredential(.deviceCode)
        let userCode = TypedCode.make(Self.codeLength)
        let device = DeviceAuthorization(
            id: .ordered(at: now), tenant: dependencies.identity.tenant, client: client.rawValue, scopes: scopes,
            source: group,
            createdAt: now, expiresAt: now + Self.lifetime)
        try await dependencies.database.write { [self] tx in
            try tx.insertDevice(device, deviceCode: minted.digest, userCode: digest(userCode), challenge: challenge)
            try tx.appendAudit(
                dependencies.ownEvent(
                    .loginStarted, subject: "device:\(device.id)", source: source, at: now,
                    details: [("client", client.rawValue)]))
        }
        return Begun(device: device, deviceCode: minted.text, userCode: TypedCode.shown(userCode))
    }

    /// What waits for an answer under this code. Five wrong codes of a user, or twenty of a source, and no more are looked
    /// at for a while.
    public func look(userCode: String, by caller: Caller) async throws -> Seen {
        let user = try requireBrowser(caller)
        return try await guarded(user, caller) { [self] now in
            guard let code = TypedCode.normalised(userCode, count: Self.codeLength) else {
                throw ControlError.userCodeUnknown
            }
            let digest = digest(code)
            guard
                let device = try await dependencies.database.read({ tx in
                    try tx.undecidedDevice(userCode: digest, at: now)
                })
            else { throw ControlError.userCodeUnknown }
            return Seen(
                device: device, scopes: (device.scopes ?? .usual).intersection(user.role.scopes),
                needsProof: user.role == .admin)
        }
    }

    /// Answers for good. Approving what acts as an administrator needs proof: the second factor, or the password of an
    /// account without one, or where there is neither, that the session has just begun. Throws `notPossible` then.
    public func decide(
        userCode: String, approves: Bool, proof: Proof, by caller: Caller
    ) async throws -> Seen {
        let user = try requireBrowser(caller)
        let seen = try await look(userCode: userCode, by: caller)
        let device = seen.device
        let now = dependencies.now()
        let needsCode =
            if approves, seen.needsProof { try await prove(user, proof, by: caller) } else { false }
        do {
            try await dependencies.database.write { [dependencies, secondFactor] tx in
                if needsCode { try secondFactor.consume(proof.code ?? "", of: user, at: now, in: tx) }
                guard try tx.decideDevice(device.id, by: user.id, scopes: approves ? seen.scopes : nil, at: now) else {
                    throw ControlError.userCodeUnknown
                }
                try tx.appendAudit(
                    dependencies.event(
                        approves ? .deviceApproved : .deviceDenied, by: caller, subject: "device:\(device.id)",
                        severity: .warning, at: now,
                        details: [
                            ("client", device.client), ("asked_from", device.source), ("scopes", seen.scopes.text),
                        ]))
            }
        } catch ControlError.secondFactorRefused {
            secondFactor.noteRefusal(of: user.id, source: caller.source)
            throw ControlError.secondFactorRefused
        }
        if needsCode { secondFactor.giveBackTry(of: user.id, at: now) }
        return seen
    }

    /// The token, once a person has approved. Throws `authorizationPending`, `slowDown`, `deviceDenied` and
    /// `deviceExpired`, which also stands for a code that never was or is used up.
    public func redeem(
        deviceCode: String, verifier: String, source: String
    ) async throws -> (token: AccessToken, text: Secret<String>, user: User) {
        guard CredentialKind(shapeOf: deviceCode) == .deviceCode else { throw ControlError.deviceExpired }
        let now = dependencies.now()
        let digest = CredentialDigest(of: deviceCode)
        guard
            let (device, challenge) = try dependencies.database.readNow({ tx in
                try tx.device(deviceCode: digest, at: now)
            })
        else { throw ControlError.deviceExpired }
        guard isSame(challenge, Array(SHA256.hash(data: Array(verifier.utf8)))) else {
            dependencies.refusals.note(
                .init(kind: "device-code", reason: "wrong-verifier", source: source, credential: "device:\(device.id)"))
            throw ControlError.deviceExpired
        }
        guard pace.allows(device.id, at: now) else { throw ControlError.slowDown }
        guard device.deniedAt == nil else { throw ControlError.deviceDenied }
        guard device.approvedAt != nil else { throw ControlError.authorizationPending }
        let minted = MintedCredential(.personalToken)
        let (token, user) = try await dependencies.database.write { [dependencies] tx in
            guard let approved = try tx.consumeDevice(device.id, at: now), let user = try tx.user(approved.user),
                user.disabledAt == nil
            else { throw ControlError.deviceExpired }
            try tx.requireRoomForToken(of: user.id, at: now)
            let token = AccessToken(
                id: .random(), tenant: user.tenant, user: user.id, label: device.client,
                scopes: approved.scopes, allowFrom: [], createdAt: now, expiresAt: now + Self.tokenLifetime,
                lifetime: Self.tokenLifetime)
            try tx.insertToken(token, digest: minted.digest)
            try tx.appendAudit(
                dependencies.event(
                    .tokenAdded,
                    by: Caller(principal: .user(user, by: .token(token.id), scopes: approved.scopes), source: source),
                    subject: "token:\(token.id)", at: now,
                    details: [("label", token.label), ("device", device.id.text)]))
            return (token, user)
        }
        return (token, minted.text, user)
    }

    /// Only a person before a browser may answer: a token that could would make further tokens by itself.
    private func requireBrowser(_ caller: Caller) throws(ControlError) -> User {
        guard case .user(let user, .session, _) = caller.principal else { throw .forbidden }
        return user
    }

    /// True when the second factor has to be consumed with the answer.
    private func prove(_ user: User, _ proof: Proof, by caller: Caller) async throws -> Bool {
        if try await dependencies.database.read({ tx in try tx.hasConfirmedTOTP(user.id) }) {
            guard proof.code != nil else { throw ControlError.secondFactorRequired }
            try secondFactor.takeTry(of: user.id, at: dependencies.now())
            return true
        }
        if try await passwords.confirm(proof.password, of: user, source: caller.source) == nil {
            try await requireFreshSession(of: user, caller)
        }
        return false
    }

    /// Whom a provider signs in has nothing else to prove themselves with: they have to come from there just now.
    private func requireFreshSession(of user: User, _ caller: Caller) async throws {
        let now = dependencies.now()
        let session = try await dependencies.database.read { tx in
            try caller.principal.session.flatMap { id in try tx.liveSession(id, at: now) }?.session
        }
        guard let session, now - session.createdAt <= Self.freshness else {
            throw ControlError.notPossible(
                "Sign out, sign in with your identity provider again, and answer within five minutes of that.")
        }
    }

    private func guarded<Value>(
        _ user: User, _ caller: Caller, _ look: (Timestamp) async throws -> Value
    ) async throws -> Value {
        let now = dependencies.now()
        let source = sourceGroup(caller.source)
        try guesses.take(user.id, at: now)
        try guessesBySource.take(source, at: now)
        do {
            let value = try await look(now)
            guesses.giveBack(user.id, at: now)
            guessesBySource.giveBack(source, at: now)
            return value
        } catch ControlError.userCodeUnknown {
            dependencies.refusals.note(
                .init(kind: "device-code", reason: "unknown", source: caller.source, credential: "user:\(user.id)"))
            throw ControlError.userCodeUnknown
        } catch {
            guesses.giveBack(user.id, at: now)
            guessesBySource.giveBack(source, at: now)
            throw error
        }
    }

    private func digest(_ userCode: String) -> [UInt8] { masterKey.digest(userCode, use: "device code") }
}

/// How often each program polls; one that asks too soon has to wait five seconds longer from then on (RFC 8628, 3.5).
private final class PollingPace: Sendable {
    private struct Pace {
        var last: Timestamp
        var interval: Duration
    }

    private let paces = Mutex(BoundedMap<ID<DeviceAuthorization>, Pace>(limit: 4_096))

    func allows(_ device: ID<DeviceAuthorization>, at now: Timestamp) -> Bool {
        paces.withLock { paces in
            guard var pace = paces[device] else {
                paces[device] = Pace(last: now, interval: DeviceService.interval)
                return true
            }
            // A second for the way, and for a client whose timer is a little fast.
            let isEarly = now - pace.last < pace.interval - .seconds(1)
            if isEarly { pace.interval = min(pace.interval + .seconds(5), .seconds(60)) }
            pace.last = now
            paces[device] = pace
            return !isEarly
        }
    }
}
