import GateModel
import Logging

/// The keys a provider signs with, which it changes when it likes: a token by a key that isn't known has them fetched
/// again, at most once a minute.
struct ProviderKeys: Sendable {
    private let published: PublishedCopy<[ProviderKey]>

    /// `location` says where they are each time: a provider's description may name another place.
    init(
        outbound: any OutboundSender, logger: Logger, elapsed: @escaping @Sendable () -> ContinuousClock.Instant,
        location: @escaping @Sendable () async throws(ProviderFault) -> OutboundURL
    ) {
        published = PublishedCopy("keys", logger: logger, elapsed: elapsed) { () async throws(ProviderFault) in
            let url = try await location()
            guard let keys = await ProviderKey.usable(in: try await outbound.document(.keySet, url)) else {
                throw .unusable("\(url.origin) publishes no key set (RFC 7517)")
            }
            guard !keys.isEmpty else {
                throw .unusable("\(url.origin) publishes no key for RS256 (2048 bits or more) or ES256")
            }
            return keys
        }
    }

    /// The claims of a token that one of them signed. Throws `WebTokenFault`, and `ControlError.providerUnavailable` where
    /// the keys can't be had.
    func verify(_ token: WebToken) async throws -> WebTokenClaims {
        if let key = Self.key(for: token, in: try await published.current()) { return try await key.verify(token) }
        guard let key = Self.key(for: token, in: try await published.renewed()) else { throw WebTokenFault.unknownKey }
        return try await key.verify(token)
    }

    /// The one the token names; where it names none, the only one there is for its algorithm.
    private static func key(for token: WebToken, in keys: [ProviderKey]) -> ProviderKey? {
        let fitting = keys.filter { $0.algorithm == token.algorithm }
        guard let id = token.keyID else { return fitting.count == 1 ? fitting.first : nil }
        return fitting.first { $0.id == id }
    }
}
