public import GateModel

/// `POST /api/v1/setup`: buys the first administrator's token with the secret the gateway printed.
public struct SetupRequest: Codable, WireRequest {
    public var secret: String

    public init(secret: String) { self.secret = secret }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable { case secret }
}

/// One audit event, as `GET /api/v1/audit/events` lists it and `audit/audit.jsonl` holds it, a line each
/// (there with its tenant).
public struct AuditEventBody: Codable, Sendable, Equatable {
    public var id: String
    /// Its place in the gateway's chain; absent until it is sealed, about a second after it happened.
    public var sequence: Int64?
    public var at: Timestamp
    public var action: String
    public var severity: String
    public var outcome: String
    public var actor: String
    public var credential: String
    public var source: String
    public var subject: String
    public var details: [String: String]

    private enum CodingKeys: String, CodingKey {
        case id, at, action, severity, outcome, actor, credential, source, subject, details
        case sequence = "seq"
    }

    public init(
        id: String, sequence: Int64? = nil, at: Timestamp, action: String, severity: String, outcome: String,
        actor: String, credential: String,
        source: String, subject: String, details: [String: String]
    ) {
        self.id = id
        self.sequence = sequence
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
}
