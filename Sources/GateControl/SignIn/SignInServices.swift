/// Everything about signing in, over one master key.
public struct SignInServices: Sendable {
    public let sessions: SessionService
    public let passwords: SignInService
    public let secondFactor: SecondFactorService
    public let devices: DeviceService

    public init(
        _ dependencies: ControlDependencies, masterKey: MasterKey, policy: SessionPolicy = SessionPolicy()
    ) {
        self.init(
            dependencies, masterKey: masterKey, policy: policy, slots: HashingSlots(),
            damping: SignInDamping())
    }

    package init(
        _ dependencies: ControlDependencies, masterKey: MasterKey, policy: SessionPolicy,
        slots: HashingSlots, damping: SignInDamping
    ) {
        let check = PasswordCheck(dependencies: dependencies, slots: slots, damping: damping)
        sessions = SessionService(dependencies, masterKey: masterKey, policy: policy)
        secondFactor = SecondFactorService(dependencies, masterKey: masterKey, passwords: check)
        passwords = SignInService(
            dependencies, passwords: check, sessions: sessions, secondFactor: secondFactor)
        devices = DeviceService(
            dependencies, masterKey: masterKey, passwords: check, secondFactor: secondFactor)
    }

    /// Ends what ended by itself and forgets what is old; to be called again and again.
    public func sweep() async throws { try await sessions.sweep() }
}
