import GateControl
import GateModel
import GateStore

/// Answers no call.
package struct NobodyOutside: OutboundSender {
    package init() {}

    package func send(_ request: OutboundRequest) async throws(OutboundError) -> OutboundResponse { throw .unreachable }
}

extension TestGateway {
    /// Everything about signing in, under a master key that every one of them shares. Keep one: what it counts is its own.
    package func makeSignIn(
        slots: HashingSlots = HashingSlots(),
        damping: SignInDamping = SignInDamping(), policy: SessionPolicy = SessionPolicy(), keySeed: UInt8 = 7,
        outside: OutsideSettings = OutsideSettings(), outbound: any OutboundSender = NobodyOutside(),
        elapsed: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) throws -> SignInServices {
        guard let key = MasterKey(Array(repeating: keySeed, count: MasterKey.length)) else { throw BadSample() }
        return SignInServices(
            dependencies, masterKey: key, policy: policy, slots: slots, damping: damping, outside: outside,
            outbound: outbound, elapsed: elapsed)
    }

    /// A further user.
    package func addUser(_ name: String) async throws -> User {
        let user = User(
            id: .random(), tenant: dependencies.identity.tenant, name: name, role: .admin, createdAt: clock.now)
        try await database.write { tx in try tx.insertUser(user) }
        return user
    }

    /// A session as a sign-in makes it, without the tenth of a second that a password takes.
    package func openSession(_ user: User) async throws -> (cookie: String, session: Session) {
        let minted = MintedCredential(.session)
        let now = clock.now
        let session = Session(
            id: .random(), tenant: user.tenant, user: user.id, method: .password, source: "192.0.2.9",
            client: "browser", createdAt: now, lastUsedAt: now, idleUntil: now + .seconds(43_200),
            expiresAt: now + .seconds(604_800))
        try await database.write { tx in try tx.insertSession(session, digest: minted.digest) }
        return (minted.text.reveal(), session)
    }
}

extension TestGateway {
    /// What an authenticator shows now for this offer, `steps` of 30 s later.
    package func code(_ offer: SecondFactorService.Offer, steps: Int64 = 0) throws -> String {
        OneTimeCode.code(seed: try Self.base32(offer.seed.reveal()), step: OneTimeCode.step(at: clock.now) + steps)
    }

    /// RFC 4648, section 6, written down a second time: the product only encodes.
    package static func base32(_ text: String) throws -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        var bits: [UInt8] = []
        for character in text {
            guard let value = alphabet.firstIndex(of: character) else { throw BadSample() }
            bits += (0..<5).map { UInt8(value >> (4 - $0) & 1) }
        }
        return stride(from: 0, to: bits.count - bits.count % 8, by: 8).map { start in
            bits[start..<(start + 8)].reduce(0) { $0 << 1 | $1 }
        }
    }
}
