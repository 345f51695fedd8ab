public import GateModel

/// A source of principals behind the one seam: it knows some kind of credential and nobody else's.
///
/// Providers are asked in their order and the first that recognises the credential decides. One that can't ask its source
/// throws `ProviderUnavailable`; the others are asked all the same, and if none of them recognises the credential either, the
/// answer is "could not ask", never "not recognised". Any other error counts as "not mine" and is logged: a provider with a
/// fault must let nobody in, and must not keep out those whom others know.
public protocol TokenProvider: Sendable {
    /// What logs and answers call it: `tokens`, `agent-keys`, `fleet`.
    var name: String { get }

    /// Nil: not one of this provider's. The credential's shape was checked when it has a kind of ours.
    func verify(_ credential: PresentedCredential) async throws -> TokenVerdict?
}

/// A credential as it came in, with what every provider asks of it computed once.
public struct PresentedCredential: Sendable {
    public let text: Secret<String>
    /// Nil for a text that has no shape of ours.
    public let kind: CredentialKind?
    public let digest: CredentialDigest
    /// The address it came from, after trusted proxies.
    public let source: String

    public init(_ text: String, source: String) {
        self.text = Secret(text)
        kind = CredentialKind(shapeOf: text)
        digest = CredentialDigest(of: text)
        self.source = source
    }
}

/// What a provider says of a credential that is its own.
public enum TokenVerdict: Sendable {
    case principal(Principal)
    /// Unknown, revoked or expired: which of them isn't told to whoever presents it.
    case refused
    /// A good credential from an address it may not come from.
    case addressRefused
    /// A good credential of a user who is disabled.
    case accountDisabled
    /// Whether it is good isn't asked before that time is over.
    case tooManyAttempts(retryAfter: Duration)
}

/// A provider's source can't be asked: its name, for the log and the answer.
public struct ProviderUnavailable: Error, Sendable {
    public let provider: String
    /// Whether it is the gateway's own store that can't be asked.
    public let isStore: Bool

    public init(provider: String, isStore: Bool = true) {
        self.provider = provider
        self.isStore = isStore
    }
}
