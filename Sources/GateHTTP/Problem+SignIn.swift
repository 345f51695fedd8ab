import GateControl
import GateWire

extension Problem {
    /// What signing in may refuse with.
    init(signIn error: ControlError) {
        switch error {
        case .signInRefused:
            self.init(.signInRefused, "The name or the password is wrong, or this account may not sign in.")
        case .secondFactorRequired:
            self.init(.secondFactorRequired, "This account has a second factor: send a code of its authenticator too.")
        case .secondFactorRefused:
            self.init(.secondFactorRefused, "The code is wrong or was used already; wait for the next one.")
        case .sessionNotFound: self.init(.sessionNotFound, "No such session.")
        case .notPossible(let words): self.init(.notPossible, words)
        case .forgeryTokenRefused:
            self.init(
                .csrfRefused, "A change by a browser's session needs its X-CSRF-Token, from the gateway's own pages.")
        case .secretsUnreadable:
            self.init(.secretsUnreadable, "The gateway can't open its secrets: its master key is another one.")
        case .signInUnavailable: self.init(.signInUnavailable, "This way of signing in isn't set up here.")
        case .signInNotBegun:
            self.init(
                .signInNotBegun,
                "This sign-in wasn't begun in this browser, or more than ten minutes ago, or is over; begin again.")
        case .providerRefused:
            self.init(
                .providerRefused,
                "The identity provider refused, or says nothing that this gateway believes; its log has the reason.")
        case .providerUnavailable:
            self.init(
                .providerUnavailable, "The identity provider can't be asked now; try again.", retryAfter: .seconds(5))
        case .noRole:
            self.init(
                .noRole,
                "The identity provider knows you, but none of your groups has a role here; ask an administrator."
            )
        case .identityNotFound: self.init(.identityNotFound, "This user has no such outside identity.")
        case .authorizationPending: self.init(.authorizationPending, "Nobody has answered yet; go on asking.")
        case .slowDown:
            self.init(.slowDown, "Asked too often; wait five seconds longer each time.", retryAfter: .seconds(5))
        case .deviceDenied: self.init(.accessDenied, "The request was turned down.")
        case .deviceExpired: self.init(.expiredToken, "The code is unknown, used or expired; begin again.")
        case .userCodeUnknown: self.init(.userCodeNotFound, "No program waits for an answer under this code.")
        default: self.init(.internalError, "Something went wrong on our side.")
        }
    }
}
