/// Everything that is written down: `docs/audit-events.md` says of each when it happens. A name is never reused or
/// changed, for trails and rules of other systems hold it for years.
public enum AuditAction: String, CaseIterable, Sendable {
    // Signing in and out.
    case loginStarted = "login.started"
    case loginSucceeded = "login.succeeded"
    case loginFailed = "login.failed"
    case loginAttacked = "login.attacked"
    case logout = "login.ended"
    case sessionRefused = "session.refused"
    case sessionRevoked = "session.revoked"
    case passwordChanged = "password.changed"
    case totpEnabled = "totp.enabled"
    case totpDisabled = "totp.disabled"
    case totpFailed = "totp.failed"
    case totpReset = "totp.reset"
    case recoveryCodeUsed = "recovery-code.used"
    case recoveryCodesReplaced = "recovery-codes.replaced"
    case deviceApproved = "device.approved"
    case deviceDenied = "device.denied"
    case setupOffered = "setup.offered"
    case identityLinked = "identity.linked"
    case identityUnlinked = "identity.unlinked"

    // Tickets and sockets.
    case ticketRefused = "ticket.refused"
    case ticketMinted = "ticket.minted"
    case streamOpened = "stream.opened"

    // Credentials shown, counted rather than listed one by one.
    case accessUsed = "access.used"
    case accessRefused = "access.refused"
    case accessRateLimited = "access.rate-limited"
    case accessRefusalsDropped = "access.refusals-dropped"
    case accessUsesDropped = "access.uses-dropped"
    case nodeTokensForgotten = "node-tokens.forgotten"
    case agentAPIKeyUsed = "agent-api-key.used"

    // Users, grants, tokens.
    case userAdded = "user.added"
    case userChanged = "user.changed"
    case tenantAdded = "tenant.added"
    case grantAdded = "grant.added"
    case grantWithdrawn = "grant.withdrawn"
    case grantExpired = "grant.expired"
    case tokenAdded = "token.added"
    case tokenRenewed = "token.renewed"
    case tokenRevoked = "token.revoked"

    // Machines and what they hold.
    case machineAdded = "machine.added"
    case machineChanged = "machine.changed"
    case machineRemoved = "machine.removed"
    case machineEnrolled = "machine.enrolled"
    case machineRegistered = "machine.registered"
    case machineTakenOver = "machine.taken-over"
    case machineSharedKeyChanged = "machine.shared-key-changed"
    case agentsImported = "agents.imported"
    case enrolmentAdded = "enrolment.added"
    case enrolmentRevoked = "enrolment.revoked"
    case agentKeyAdded = "agent-key.added"
    case agentKeyRevoked = "agent-key.revoked"
    case tunnelKeyAdded = "tunnel-key.added"
    case tunnelKeyRenewed = "tunnel-key.renewed"
    case tunnelKeyRevoked = "tunnel-key.revoked"
    case tunnelKeyExpired = "tunnel-key.expired"
    case tunnelKeySuperseded = "tunnel-key.superseded"
    case leaseExpired = "lease.expired"
    case leasePortHeld = "lease.port-held"

    // The gateway and its trail.
    case storeRestored = "store.restored"
    case auditChainRestarted = "audit.chain-restarted"
}
