import GateModel

/// Why a use case refused. Nothing here repeats a secret, so every case may be told to the caller.
public enum ControlError: Error, Equatable {
    case unauthenticated
    case forbidden
    case machineNotFound
    case agentKeyNotFound
    case enrolmentNotFound
    case tunnelKeyNotFound
    case tokenNotFound
    case proxyNotFound
    case userNotFound
    case grantNotFound
    /// The credential is good, but not from where it came.
    case addressNotAllowed
    /// The credential is good, and its owner's account is disabled.
    case accountDisabled
    /// No grant lets this user reach the machine; its name, which the user may see.
    case notGranted(machine: String)
    /// Nobody could manage the tenant any more.
    case lastAdministrator
    /// A credential that can't be renewed: not a token.
    case notRenewable
    case leaseNotFound
    case nameTaken(field: String)
    case keyTaken
    case enrolmentRefused
    case setupRefused
    case ticketRefused
    case generationSuperseded
    /// Several processes take one machine's place from each other.
    case duplicateAgent(retryAfter: Duration)
    case limitReached(String)
    case tooManyAttempts(retryAfter: Duration)
    case leaseRangeFull
    /// An agent that shares its key with others may not take this machine's place.
    case agentIDTaken
    /// Nothing of what should be brought over was: these words say why.
    case importRefused([String])
    case invalid(field: String, rule: String)
    /// Wrong name or password, no such user, disabled: which of them isn't told.
    case signInRefused
    /// The password was right; the account has a second factor, and no code was given.
    case secondFactorRequired
    case secondFactorRefused
    case sessionNotFound
    /// What the asked-for change needs isn't there, or is there already: these words say what.
    case notPossible(String)
    /// A request with a session's cookie lacks what only that session's pages know.
    case forgeryTokenRefused
    /// A sealed secret doesn't open: the master key is another one than it was sealed with.
    case secretsUnreadable
    /// This way of signing in isn't set up.
    case signInUnavailable
    /// What came back from a provider was not begun by this browser, or too long ago, or was completed already.
    case signInNotBegun
    /// The provider refused, or didn't vouch for anybody in a way that is believed here.
    case providerRefused
    /// The provider can't be asked.
    case providerUnavailable
    /// The provider vouches for somebody to whom nothing gives a role.
    case noRole
    /// No such outside identity of that user.
    case identityNotFound
    /// No person has answered yet (RFC 8628, section 3.5).
    case authorizationPending
    case slowDown
    case deviceDenied
    case deviceExpired
    /// No such code waits for an answer.
    case userCodeUnknown
}
