public import GateModel

/// Secrets of the gateway's own environment: each opens one thing.
public struct EnvironmentSecrets: TokenProvider {
    public let name = "environment"

    /// A secret that was found strong enough; only its digest is kept.
    public struct Entry: Sendable {
        let credential: EnvironmentCredential
        let digest: CredentialDigest

        /// Throws `Fault` for a text that is too weak, or that another provider would take for its own.
        public init(_ credential: EnvironmentCredential, _ text: Secret<String>) throws(Fault) {
            let text = text.reveal()
            let strength: SecretStrength =
                switch credential {
                case .drain: .full
                case .agent: .shared
                }
            if let words = strength.fault(of: text) { throw Fault(description: words) }
            guard !NodeToken.claims(text), !CredentialKind.allCases.contains(where: { text.hasPrefix($0.rawValue) })
            else {
                throw Fault(description: "it begins like another kind of credential")
            }
            self.credential = credential
            digest = CredentialDigest(of: text)
        }
    }

    /// Why a secret isn't used, in words that don't repeat it.
    public struct Fault: Error, Sendable, Hashable, CustomStringConvertible {
        public let description: String
    }

    private let entries: [Entry]
    private let tenant: ID<Tenant>

    public init(_ entries: [Entry], tenant: ID<Tenant>) {
        self.entries = entries
        self.tenant = tenant
    }

    public func verify(_ credential: PresentedCredential) async throws -> TokenVerdict? {
        var found: EnvironmentCredential?
        // All of them in full, and digests only: the time taken tells nothing about a secret.
        for entry in entries where isSame(entry.digest.bytes, credential.digest.bytes) { found = entry.credential }
        return found.map { .principal(.environment($0, tenant: tenant)) }
    }
}
