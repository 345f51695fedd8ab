public import GateModel

/// Which outside providers people may sign in with.
public struct OutsideSettings: Sendable {
    public var openID: OpenIDSettings?
    public var cloudflareAccess: CloudflareAccessSettings?

    public init(openID: OpenIDSettings? = nil, cloudflareAccess: CloudflareAccessSettings? = nil) {
        self.openID = openID
        self.cloudflareAccess = cloudflareAccess
    }
}

/// An OpenID provider, and what its word is worth here.
public struct OpenIDSettings: Sendable {
    public static let usualScopes = ["openid", "profile", "email"]
    public static let usualGroupsClaim = "groups"

    /// To the byte as the provider writes it.
    public let issuer: String
    let url: OutboundURL
    public let clientID: String
    let clientSecret: Secret<String>?
    let scopes: [String]
    let groupsClaim: String
    let roles: RoleMapping

    /// Throws `OutboundURL.Fault` for an issuer that isn't the URL of a provider.
    public init(
        issuer: String, clientID: String, clientSecret: Secret<String>?, scopes: [String] = usualScopes,
        groupsClaim: String = usualGroupsClaim, roles: RoleMapping
    ) throws(OutboundURL.Fault) {
        url = try OutboundURL(issuer, loopback: .literal)
        self.issuer = issuer
        self.clientID = clientID
        self.clientSecret = clientSecret
        self.scopes = scopes
        self.groupsClaim = groupsClaim
        self.roles = roles
    }
}

/// Cloudflare Access before the gateway, and the application it protects.
public struct CloudflareAccessSettings: Sendable {
    let url: OutboundURL
    let audience: String
    /// Of somebody who comes for the first time; nil: only those whom an administrator linked come in.
    let standardRole: Role?

    /// `team`: `https://NAME.cloudflareaccess.com`.
    public init(team: OutboundURL, audience: String, standardRole: Role?) {
        url = team
        self.audience = audience
        self.standardRole = standardRole
    }

    var issuer: String { url.origin }
}

/// What a provider's groups are worth here.
public struct RoleMapping: Sendable, Hashable {
    private let roles: [String: Role]
    /// Of somebody none of whose groups has a role; nil: they don't come in.
    private let standard: Role?

    public init(roles: [String: Role], standard: Role?) {
        self.roles = roles
        self.standard = standard
    }

    /// The strongest that any of the groups gives. Names are compared to the letter.
    func role(of groups: [String]) -> Role? {
        let given = Set(groups.compactMap { roles[$0] })
        return [.admin, .operator, .viewer].first { given.contains($0) } ?? standard
    }
}
