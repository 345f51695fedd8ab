/// One line of the audit trail; it commits in the transaction of the fact it tells of.
public struct AuditEvent: Sendable, Hashable {
    public enum Severity: String, Sendable, CaseIterable { case info, warning, error, critical }
    public enum Outcome: String, Sendable, CaseIterable { case success, refused, failed }

    public var id: ID<AuditEvent>
    public var tenant: ID<Tenant>
    public var gateway: ID<Gateway>
    public var at: Timestamp
    /// The raw value of an `AuditAction`, or one that another version wrote.
    public var action: String
    public var severity: Severity
    public var outcome: Outcome
    /// `user:ID`, `machine:ID`, `local-administrator`, `gateway`, `stranger`.
    public var actor: String
    /// The id of the credential used, never the credential.
    public var credential: String
    public var source: String
    /// `machine:ID`, `tunnel-key:ID`, …
    public var subject: String
    /// A few named facts, in order. What looks like a secret is taken out when the event is stored.
    public var details: [(name: String, value: String)]

    public init(
        id: ID<AuditEvent>, tenant: ID<Tenant>, gateway: ID<Gateway>, at: Timestamp, action: AuditAction,
        severity: Severity = .info, outcome: Outcome = .success, actor: String, credential: String = "",
        source: String = "", subject: String, details: [(name: String, value: String)] = []
    ) {
        self.init(
            id: id, tenant: tenant, gateway: gateway, at: at, storedAction: action.rawValue, severity: severity,
            outcome: outcome, actor: actor, credential: credential, source: source, subject: subject, details: details)
    }

    /// An event as the store or the log has it.
    public init(
        id: ID<AuditEvent>, tenant: ID<Tenant>, gateway: ID<Gateway>, at: Timestamp, storedAction action: String,
        severity: Severity = .info, outcome: Outcome = .success, actor: String, credential: String = "",
        source: String = "", subject: String, details: [(name: String, value: String)] = []
    ) {
        self.id = id
        self.tenant = tenant
        self.gateway = gateway
        self.at = at
        self.action = action
        self.severity = severity
        self.outcome = outcome
        self.actor = actor
        self.credential = credential
        self.source = source
        self.subject = subject
        self.details = details
    }

    public static func == (left: Self, right: Self) -> Bool { left.id == right.id }
    public func hash(into hasher: inout Hasher) { hasher.combine(id) }
}
