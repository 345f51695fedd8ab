public import GateModel
import GateStore

/// Turns a bearer credential into a principal. Fails closed: nil means not recognised, a throw means could not ask.
public struct Authentication: Sendable {
    private let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    public enum Failure: Error {
        /// Credentials are revoked faster than this one can be read. Not knowing is never told as "not recognised": an
        /// agent would take its key for gone.
        case couldNotAsk
    }

    /// Blocks the calling thread for one indexed read on a cache miss, and for another one when that finds nothing.
    public func principal(bearer: some StringProtocol, source: String) throws -> Principal? {
        guard let kind = CredentialKind(shapeOf: bearer), kind == .personalToken || kind == .agentKey else {
            refuse(reason: "unrecognised", source: source)
            return nil
        }
        let digest = CredentialDigest(of: bearer)
        let now = dependencies.now()
        for _ in 0..<3 {
            let (cached, epoch) = dependencies.credentials.entry(for: digest)
            if let cached {
                if let end = cached.expiresAt, end <= now { return refuseKnown(kind, digest: digest, source: source) }
                dependencies.hotState.used(cached.principal, at: now)
                return cached.principal
            }
            guard let entry = try read(kind, digest: digest, at: now) else {
                return refuseKnown(kind, digest: digest, source: source)
            }
            guard dependencies.credentials.fill(entry, for: digest, epoch: epoch) else { continue }
            dependencies.hotState.used(entry.principal, at: now)
            return entry.principal
        }
        throw Failure.couldNotAsk
    }

    private func read(_ kind: CredentialKind, digest: CredentialDigest, at now: Timestamp) throws -> CredentialCache
        .Entry?
    {
        switch kind {
        case .personalToken:
            try dependencies.database.readNow { tx in try tx.liveToken(digest: digest, at: now) }.map { found in
                .init(principal: .user(found.user, token: found.token.id), expiresAt: found.token.expiresAt)
            }
        case .agentKey:
            try dependencies.database.readNow { tx in try tx.liveAgentKey(digest: digest, at: now) }.map { key in
                .init(principal: .machine(key.machine, tenant: key.tenant, key: key.id), expiresAt: key.expiresAt)
            }
        default: nil
        }
    }

    /// A refusal of a credential that was once good is worth telling apart: it is in somebody's hands.
    private func refuseKnown(_ kind: CredentialKind, digest: CredentialDigest, source: String) -> Principal? {
        let credential: String? = try? dependencies.database.readNow { tx in
            switch kind {
            case .personalToken: try tx.deadToken(digest: digest).map { "token:\($0.id)" }
            case .agentKey: try tx.deadAgentKey(digest: digest).map { "agent-key:\($0.id)" }
            default: nil
            }
        }
        refuse(
            reason: credential == nil ? "unknown" : "revoked-or-expired", source: source, credential: credential ?? "")
        return nil
    }

    private func refuse(reason: String, source: String, credential: String = "") {
        dependencies.refusals.note(
            RefusalLog.Subject(kind: "credential", reason: reason, source: source, credential: credential))
    }
}
