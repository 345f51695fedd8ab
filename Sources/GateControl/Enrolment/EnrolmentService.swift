public import GateModel
public import GateSSH
import GateStore

/// Enrolment tokens and the agent keys they buy.
public struct EnrolmentService: Sendable {
    public static let lifetimes: ClosedRange<Int> = 60...30 * 86_400
    public static let defaultLifetime = 86_400
    /// Living tokens, and unrevoked keys, one machine may have: enough to rotate without a gap.
    public static let tokenLimit = 10
    public static let keyLimit = 10
    /// How long the same token and public key may ask again for an answer that was lost.
    public static let repeatWindow = Duration.seconds(600)
    /// A control key opens the gateway's API and nothing else, until the first registration replaces it.
    static let controlKeyLifetime = Duration.seconds(30 * 86_400)

    private let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    public func add(
        to name: String, lifetime: Duration, allowFrom: [AddressBlock] = [], by caller: Caller
    ) async throws -> (token: EnrolmentToken, text: Secret<String>) {
        try caller.require(.machinesWrite)
        let minted = MintedCredential(.enrolmentToken)
        let now = dependencies.now()
        let token = try await dependencies.database.write { [self] tx in
            let machine = try tx.requireMachine(name, in: caller.tenant)
            guard try tx.liveEnrolmentCount(of: machine.id, at: now) < Self.tokenLimit else {
                throw ControlError.limitReached(
                    "A machine may have \(Self.tokenLimit) unused enrolment tokens; revoke one first.")
            }
            return try insert(
                for: machine, minted: minted, lifetime: lifetime, allowFrom: allowFrom, at: now, by: caller, in: tx)
        }
        return (token, minted.text)
    }

    func insert(
        for machine: Machine, minted: MintedCredential, lifetime: Duration, allowFrom: [AddressBlock] = [],
        at now: Timestamp, by caller: Caller, in tx: any Transaction
    ) throws -> EnrolmentToken {
        let token = EnrolmentToken(
            id: .random(), tenant: machine.tenant, machine: machine.id, allowFrom: allowFrom.map(\.text),
            createdAt: now,
            expiresAt: now + lifetime)
        try tx.insertEnrolment(token, digest: minted.digest)
        try tx.appendAudit(
            dependencies.event(
                .enrolmentAdded, by: caller, subject: "enrolment:\(token.id)", at: now,
                details: [("machine", machine.id.text), ("expires_at", token.expiresAt.rfc3339)]))
        return token
    }

    public func list(of name: String, by caller: Caller) async throws -> [EnrolmentToken] {
        try caller.require(.machinesWrite)
        return try await dependencies.database.read { tx in
            try tx.enrolments(of: tx.requireMachine(name, in: caller.tenant).id)
        }
    }

    /// Revokes an unused token, and what a used one bought: the agent key, its tunnel keys and their connections.
    public func revoke(_ id: ID<EnrolmentToken>, of name: String, by caller: Caller) async throws {
        try caller.require(.machinesWrite)
        let now = dependencies.now()
        let result: (key: ID<AgentKey>?, fingerprints: [String])
        do {
            result = try await dependencies.database.write { [dependencies] tx in
                let machine = try tx.requireMachine(name, in: caller.tenant)
                guard try tx.hasEnrolment(id, of: machine.id) else { throw ControlError.enrolmentNotFound }
                let key = try tx.agentKey(boughtBy: id)
                guard try tx.revokeEnrolment(id, of: machine.id, at: now) else { return (key, []) }
                var fingerprints: [String] = []
                if let key, try tx.revokeAgentKey(key, of: machine.id, at: now) {
                    fingerprints = try tx.revokeTunnelKeys(broughtBy: key, at: now).map(\.fingerprint)
                }
                try tx.appendAudit(
                    dependencies.event(.enrolmentRevoked, by: caller, subject: "enrolment:\(id)", at: now))
                return (key, fingerprints)
            }
        } catch let error as StoreError {
            dependencies.keys.dropAll()
            dependencies.credentials.dropAll()
            dependencies.leases.dropAll()
            throw error
        }
        if let key = result.key { dependencies.credentials.drop { $0.usesAgentKey(key) } }
        dependencies.leases.dropAll()
        // Also for a token revoked before: an earlier call may have died between its commit and the cut.
        await dependencies.cut(keys: result.fingerprints, agentKeys: result.key.map { [$0] } ?? [])
    }

    /// Buys the machine's agent key with the token. The public key becomes its control key.
    public func enrol(
        bearer: String, publicKey: SSHPublicKey, agentID: AgentID?, source: String
    ) async throws -> (machine: Machine, key: AgentKey, text: Secret<String>) {
        guard CredentialKind(shapeOf: bearer) == .enrolmentToken else { throw refused("malformed", source) }
        let digest = CredentialDigest(of: bearer)
        let minted = MintedCredential(.agentKey)
        let now = dependencies.now()
        do {
            let (machine, key, replaced, revoked) = try await dependencies.database.write { [dependencies] tx in
                var revoked: [String] = []
                var replaced: ID<AgentKey>?
                var token = try tx.consumeEnrolment(digest: digest, publicKey: publicKey.line, at: now)
                if token == nil,
                    let again = try tx.repeatableEnrolment(
                        digest: digest, publicKey: publicKey.line, since: now - Self.repeatWindow, at: now)
                {
                    token = again.token
                    replaced = again.key
                    _ = try tx.revokeAgentKey(again.key, of: again.token.machine, at: now)
                    revoked = try tx.revokeTunnelKeys(broughtBy: again.key, at: now).map(\.fingerprint)
                }
                guard let token, let machine = try tx.machine(token.machine, in: token.tenant) else {
                    throw ControlError.enrolmentRefused
                }
                guard token.allowFrom.admits(source) else { throw ControlError.addressNotAllowed }
                if let agentID, agentID != machine.agentID {
                    throw ControlError.invalid(field: "agent_id", rule: "the agent_id this token was made for")
                }
                guard try tx.liveAgentKeyCount(of: machine.id) < Self.keyLimit else {
                    throw ControlError.limitReached("A machine may hold \(Self.keyLimit) agent keys; revoke one first.")
                }
                let key = AgentKey(
                    id: .random(), tenant: machine.tenant, machine: machine.id, label: "enrolled", createdAt: now)
                try tx.insertAgentKey(key, digest: minted.digest)
                try tx.noteAgentKey(key.id, boughtBy: token.id)
                try tx.markEnrolled(machine.id, at: now)
                try tx.revokeExpiredTunnelKey(fingerprint: publicKey.fingerprint, at: now)
                guard try tx.unrevokedTunnelKey(fingerprint: publicKey.fingerprint) == nil else {
                    throw ControlError.keyTaken
                }
                try tx.insertTunnelKey(
                    TunnelKey(
                        id: .random(), tenant: machine.tenant, purpose: .control, fingerprint: publicKey.fingerprint,
                        publicKey: publicKey.line, machine: machine.id, agentKey: key.id, createdAt: now,
                        loginUntil: now + Self.controlKeyLifetime, connectionUntil: now + Self.controlKeyLifetime),
                    reach: [])
                try tx.appendAudit(
                    dependencies.ownEvent(
                        .machineEnrolled, tenant: machine.tenant, subject: "machine:\(machine.id)", source: source,
                        at: now,
                        details: [("enrolment", token.id.text), ("agent_key", key.id.text)]))
                return (machine, key, replaced, revoked)
            }
            if let replaced {
                // Used a moment ago, it is in the cache while the store doesn't know of its use yet.
                dependencies.credentials.drop { $0.usesAgentKey(replaced) }
            }
            // From now on it is no agent of the dialect any more.
            dependencies.leases.drop([machine.id])
            await dependencies.cut(keys: revoked)
            return (machine, key, minted.text)
        } catch ControlError.addressNotAllowed {
            _ = refused("address", source)
            throw ControlError.addressNotAllowed
        } catch ControlError.enrolmentRefused {
            throw refused("unknown-used-or-expired", source)
        } catch let error as StoreError {
            dependencies.keys.dropAll()
            dependencies.credentials.dropAll()
            dependencies.leases.dropAll()
            throw error
        }
    }

    private func refused(_ reason: String, _ source: String) -> ControlError {
        dependencies.refusals.note(.init(kind: "enrolment-token", reason: reason, source: source, credential: ""))
        return .enrolmentRefused
    }
}

extension Transaction {
    func requireMachine(_ name: String, in tenant: ID<Tenant>) throws -> Machine {
        guard let machine = try machine(called: name, in: tenant) else { throw ControlError.machineNotFound }
        return machine
    }
}

extension Principal {
    func usesAgentKey(_ id: ID<AgentKey>) -> Bool {
        if case .machine(_, _, .agentKey(id)) = self { true } else { false }
    }
}
