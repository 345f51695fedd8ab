/// Somebody as an outside provider knows them, and the user they are here. Found by issuer and subject alone: an e-mail
/// address or a name is whatever the provider lets people write there.
public struct OutsideIdentity: Sendable, Hashable {
    public var id: ID<OutsideIdentity>
    public var tenant: ID<Tenant>
    public var user: ID<User>
    /// `iss` of the provider's tokens, to the byte.
    public var issuer: String
    /// `sub` of the provider's tokens.
    public var subject: String
    /// Whether the provider's groups decide the user's role; else an administrator does.
    public var givesRole: Bool
    public var createdAt: Timestamp
    public var lastSignInAt: Timestamp?
    /// When the provider last vouched for it.
    public var checkedAt: Timestamp?
    /// Since when the provider gives no role any more; the user is disabled for that reason alone.
    public var withdrawnAt: Timestamp?

    public init(
        id: ID<OutsideIdentity>, tenant: ID<Tenant>, user: ID<User>, issuer: String, subject: String, givesRole: Bool,
        createdAt: Timestamp, lastSignInAt: Timestamp? = nil, checkedAt: Timestamp? = nil,
        withdrawnAt: Timestamp? = nil
    ) {
        self.id = id
        self.tenant = tenant
        self.user = user
        self.issuer = issuer
        self.subject = subject
        self.givesRole = givesRole
        self.createdAt = createdAt
        self.lastSignInAt = lastSignInAt
        self.checkedAt = checkedAt
        self.withdrawnAt = withdrawnAt
    }
}

/// A provider's name for somebody (OpenID Connect Core 1.0, section 2): 1 to 255 characters of printable ASCII.
public struct OutsideSubject: CheckedName {
    public let rawValue: String
    public static let rule = "1 to 255 characters of printable ASCII, as the provider's `sub` has them"

    public init?(rawValue: String) {
        guard (1...255).contains(rawValue.utf8.count), rawValue.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return nil
        }
        self.rawValue = rawValue
    }
}

/// A provider's issuer: 1 to 512 characters of printable ASCII; it is compared and never called.
public struct OutsideIssuer: CheckedName {
    public let rawValue: String
    public static let rule = "the provider's issuer, https://HOST[/PATH], to the letter"

    public init?(rawValue: String) {
        guard (9...512).contains(rawValue.utf8.count), rawValue.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            rawValue.hasPrefix("https://") || rawValue.hasPrefix("http://")
        else { return nil }
        self.rawValue = rawValue
    }
}
