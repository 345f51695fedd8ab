/// Everything about signing in, over one master key.
public struct SignInServices: Sendable {
    public let sessions: SessionService
    public let passwords: SignInService
    public let secondFactor: SecondFactorService
    public let devices: DeviceService
    /// Nil where no OpenID provider is set up.
    public let openID: OpenIDSignIn?
    /// Nil where Cloudflare Access isn't before this gateway.
    public let cloudflareAccess: CloudflareAccessSignIn?

    /// `outbound` asks the providers of `outside`.
    public init(
        _ dependencies: ControlDependencies, masterKey: MasterKey, policy: SessionPolicy = SessionPolicy(),
        outside: OutsideSettings, outbound: any OutboundSender
    ) {
        self.init(
            dependencies, masterKey: masterKey, policy: policy, slots: HashingSlots(),
            damping: SignInDamping(), outside: outside, outbound: outbound, elapsed: { .now })
    }

    package init(
        _ dependencies: ControlDependencies, masterKey: MasterKey, policy: SessionPolicy,
        slots: HashingSlots, damping: SignInDamping, outside: OutsideSettings, outbound: any OutboundSender,
        elapsed: @escaping @Sendable () -> ContinuousClock.Instant
    ) {
        let check = PasswordCheck(dependencies: dependencies, slots: slots, damping: damping)
        sessions = SessionService(dependencies, masterKey: masterKey, policy: policy)
        secondFactor = SecondFactorService(dependencies, masterKey: masterKey, passwords: check)
        passwords = SignInService(
            dependencies, passwords: check, sessions: sessions, secondFactor: secondFactor)
        devices = DeviceService(
            dependencies, masterKey: masterKey, passwords: check, secondFactor: secondFactor)
        let sessions = sessions
        openID = outside.openID.map {
            OpenIDSignIn(
                dependencies, settings: $0, outbound: outbound, masterKey: masterKey, sessions: sessions,
                elapsed: elapsed)
        }
        cloudflareAccess = outside.cloudflareAccess.map {
            CloudflareAccessSignIn(
                dependencies, settings: $0, outbound: outbound, masterKey: masterKey, sessions: sessions,
                elapsed: elapsed)
        }
    }

    /// Asks the OpenID provider again about those it vouched for; to be called again and again.
    public func askProviders() async throws { try await openID?.askAgain() }

    /// Ends what ended by itself and forgets what is old; to be called again and again.
    public func sweep() async throws { try await sessions.sweep() }
}
