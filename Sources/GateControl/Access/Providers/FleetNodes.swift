import GateModel
import GateStore
public import Logging

/// Node tokens (`mcn_…`), which the Fleet vouches for and the gateway's own accounts bound: a token acts as its owner here,
/// who is looked up at every use.
public struct FleetNodes: TokenProvider {
    public let name = "fleet"
    public let counts = NodeTokenCounts()

    private let dependencies: ControlDependencies
    private let memory: NodeTokenMemory
    private let verifier: FleetVerifier
    private let pacing = VerificationPacing()
    private let flights = SingleFlight<Question, Heard>()
    private let elapsed: @Sendable () -> ContinuousClock.Instant

    /// Whoever asks after something was forgotten must not be answered by a question from before it.
    private struct Question: Hashable, Sendable {
        let digest: CredentialDigest
        let epoch: UInt64
    }

    private enum Heard: Sendable {
        case answer(FleetAnswer, asked: ContinuousClock.Instant)
        case nothing
        case wait(Duration)
    }

    /// `fleet`: the URL before `/api/v1/pat/verify`.
    public init(
        _ dependencies: ControlDependencies, fleet: OutboundURL, outbound: any OutboundSender, memory: NodeTokenMemory,
        logger: Logger
    ) {
        self.init(dependencies, fleet: fleet, outbound: outbound, memory: memory, logger: logger, elapsed: { .now })
    }

    package init(
        _ dependencies: ControlDependencies, fleet: OutboundURL, outbound: any OutboundSender, memory: NodeTokenMemory,
        logger: Logger, elapsed: @escaping @Sendable () -> ContinuousClock.Instant
    ) {
        self.dependencies = dependencies
        self.memory = memory
        self.elapsed = elapsed
        verifier = FleetVerifier(base: fleet, outbound: outbound, logger: logger)
    }

    public func verify(_ credential: PresentedCredential) async throws -> TokenVerdict? {
        guard NodeToken.claims(credential.text.reveal()) else { return nil }
        guard NodeToken.isWellFormed(credential.text.reveal()) else {
            return refused(credential, "malformed-node-token")
        }
        for _ in 0..<3 {
            let (known, epoch) = memory.node(for: credential.digest, at: elapsed())
            if let known {
                counts.note(.remembered)
                return try verdict(on: known, credential)?.verdict ?? refused(credential, "unknown-owner")
            }
            switch try await flights.value(
                of: Question(digest: credential.digest, epoch: epoch),
                ask: {
                    () async throws(CancellationError) in try await ask(credential)
                })
            {
            case .wait(let duration):
                counts.note(.paced)
                dependencies.refuse(credential, reason: "too-many-node-tokens")
                return .tooManyAttempts(retryAfter: duration)
            case .nothing, .answer(.unusable, _):
                counts.note(.unavailable)
                throw ProviderUnavailable(provider: name, isStore: false)
            case .answer(.invalid(let reason), _):
                counts.note(.refused)
                return refused(credential, reason.rawValue)
            case .answer(.valid(let node), let asked):
                counts.note(.good)
                guard let (owner, verdict) = try verdict(on: node, credential) else {
                    return refused(credential, "unknown-owner")
                }
                guard
                    memory.keep(node, of: owner.tenant, for: credential.digest, epoch: epoch, asked: asked)
                else { continue }
                return verdict
            }
        }
        // Tokens are forgotten faster than this one can be asked about.
        throw ProviderUnavailable(provider: name)
    }

    private func ask(_ credential: PresentedCredential) async throws(CancellationError) -> Heard {
        let asked = elapsed()
        switch pacing.begin(credential.digest, from: credential.source, at: asked) {
        case .wait(let duration): return .wait(duration)
        case .admitted(let ticket):
            var isGood: Bool?
            defer { pacing.end(ticket, credential.digest, isGood: isGood, at: elapsed()) }
            guard let answer = try await verifier.ask(credential.text) else { return .nothing }
            if case .valid = answer { isGood = true }
            if case .invalid = answer { isGood = false }
            return .answer(answer, asked: asked)
        }
    }

    /// What the owner's account makes of it; nil: there is no such account. The store is asked unless nothing about the
    /// owner has changed since it last was.
    private func verdict(
        on node: VerifiedNode, _ credential: PresentedCredential
    ) throws -> (owner: User, verdict: TokenVerdict)? {
        guard let id = node.owner else { return nil }
        for _ in 0..<3 {
            let (cached, epoch) = dependencies.credentials.entry(for: credential.digest)
            if let cached, case .user(let owner, .node(node.instance), _) = cached.principal, owner.id == id {
                return (owner, dependencies.admit(cached, credential))
            }
            let found: User?
            do {
                found = try dependencies.database.readNow { tx in try tx.user(id) }
            } catch {
                throw ProviderUnavailable(provider: name)
            }
            guard let owner = found else { return nil }
            guard owner.disabledAt == nil else {
                dependencies.refuse(credential, reason: "account-disabled", id: "user:\(owner.id)")
                return (owner, .accountDisabled)
            }
            let entry = CredentialCache.Entry(
                principal: .user(
                    owner, by: .node(instance: node.instance), scopes: owner.role.scopes.intersection(.node)),
                expiresAt: nil, ownerAllowFrom: owner.allowFrom)
            guard dependencies.credentials.fill(entry, for: credential.digest, epoch: epoch) else { continue }
            return (owner, dependencies.admit(entry, credential))
        }
        throw ProviderUnavailable(provider: name)
    }

    private func refused(_ credential: PresentedCredential, _ reason: String) -> TokenVerdict {
        dependencies.refuse(credential, reason: reason)
        return .refused
    }
}
