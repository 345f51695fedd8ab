import GateModel
import GateStore

/// Credentials that the store knows, answered from memory where that can't be wrong about a revocation.
struct StoredCredentials: Sendable {
    private let dependencies: ControlDependencies

    init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    /// Blocks the calling thread for one indexed read on a cache miss, and for another one when that finds nothing.
    /// `read` finds a living credential, `dead` the id of one that was good once.
    func verdict(
        _ credential: PresentedCredential, provider: String,
        read: (any Transaction, Timestamp) throws -> CredentialCache.Entry?,
        dead: (any Transaction) throws -> String?
    ) throws -> TokenVerdict {
        let now = dependencies.now()
        for _ in 0..<3 {
            let (cached, epoch) = dependencies.credentials.entry(for: credential.digest)
            if let cached {
                if let end = cached.expiresAt, end <= now { return refused(credential, dead: dead) }
                return dependencies.admit(cached, credential)
            }
            let found: CredentialCache.Entry?
            do {
                found = try dependencies.database.readNow { tx in try read(tx, now) }
            } catch {
                throw ProviderUnavailable(provider: provider)
            }
            guard let entry = found else { return refused(credential, dead: dead) }
            guard dependencies.credentials.fill(entry, for: credential.digest, epoch: epoch) else { continue }
            return dependencies.admit(entry, credential)
        }
        // Credentials are revoked faster than this one can be read. Not knowing is never told as "not recognised": an agent
        // would take its key for gone.
        throw ProviderUnavailable(provider: provider)
    }

    private func refused(
        _ credential: PresentedCredential, dead: (any Transaction) throws -> String?
    ) -> TokenVerdict {
        let id: String? = try? dependencies.database.readNow { tx in try dead(tx) }
        dependencies.refuse(credential, reason: id == nil ? "unknown" : "revoked-or-expired", id: id ?? "")
        return .refused
    }
}
