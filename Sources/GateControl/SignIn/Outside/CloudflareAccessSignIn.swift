public import GateModel
import Logging

/// Signing in with what Cloudflare Access says in `Cf-Access-Jwt-Assertion` of each request that it lets through.
public struct CloudflareAccessSignIn: Sendable {
    public static let header = "Cf-Access-Jwt-Assertion"
    /// An older assertion is of a sign-in that is too long ago, whatever its own end says.
    static let oldest = Duration.seconds(12 * 3_600)
    private static let path: StaticString = "/cdn-cgi/access/certs"

    private let dependencies: ControlDependencies
    private let settings: CloudflareAccessSettings
    private let keys: ProviderKeys
    private let entry: OutsideEntry

    init(
        _ dependencies: ControlDependencies, settings: CloudflareAccessSettings, outbound: any OutboundSender,
        masterKey: MasterKey, sessions: SessionService, elapsed: @escaping @Sendable () -> ContinuousClock.Instant
    ) {
        self.dependencies = dependencies
        self.settings = settings
        let url = settings.url.appending(Self.path)
        keys = ProviderKeys(outbound: outbound, logger: dependencies.logger, elapsed: elapsed) {
            () async throws(ProviderFault) -> OutboundURL in url
        }
        entry = OutsideEntry(dependencies: dependencies, sessions: sessions, masterKey: masterKey)
    }

    /// A session for whom the assertion names; it ends with the assertion, or twelve hours after that was made. Throws
    /// `providerRefused` for one that isn't believed, `providerUnavailable`, `noRole` for somebody without an account where
    /// new ones get none, `accountDisabled` and `addressNotAllowed`.
    public func signIn(assertion: String?, source: String, client: Label) async throws -> SignInService.Outcome {
        do {
            guard let assertion else { throw WebTokenFault.malformed }
            let claims = try await keys.verify(try WebToken(assertion))
            // `org` is Access' own session, for every application of the team.
            guard !claims.has("type") || claims.text("type") == "app" else { throw WebTokenFault.kind }
            let rules = WebTokenRules(
                issuer: settings.issuer, audience: .only(settings.audience), oldest: Self.oldest, nonce: nil)
            let subject = try rules.check(claims, at: dependencies.now())
            guard let made = claims.time("iat"), let end = claims.time("exp") else { throw WebTokenFault.malformed }
            let claimant = OutsideAccounts.Claimant(
                issuer: settings.issuer, subject: subject, role: settings.standardRole, givesRole: false,
                names: [claims.text("email"), claims.text("common_name")].compactMap(\.self))
            return try await entry.enter(
                claimant,
                OutsideOpening(method: .cloudflareAccess, vouchedUntil: { _ in min(end, made + Self.oldest) }),
                source: source, client: client)
        } catch let fault as WebTokenFault {
            dependencies.refusals.note(
                .init(kind: "cloudflare-access", reason: fault.rawValue, source: source, credential: ""))
            throw ControlError.providerRefused
        }
    }
}
