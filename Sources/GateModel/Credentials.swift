/// What kind of bearer credential a text claims to be; the shape is checked before anything is looked up.
public enum CredentialKind: String, CaseIterable, Sendable {
    case personalToken = "tgp_"
    case serviceToken = "tgs_"
    case agentKey = "cak_"
    case enrolmentToken = "tge_"
    /// Opens `admin.sock`, beside the peer's user id.
    case adminSecret = "tga_"
    /// Buys the first administrator's token, once.
    case setupSecret = "tgi_"
    /// Opens one WebSocket, once.
    case webSocketTicket = "tgw_"
    /// A browser's session, in its cookie.
    case session = "tgb_"
    /// A sign-in whose password was right and whose second factor is still to come, in a cookie.
    case pendingSignIn = "tgf_"
    /// What a program polls with until a person has let it in (RFC 8628).
    case deviceCode = "tgd_"

    /// Characters after the prefix: 32 bytes in base64url without padding.
    public static let bodyLength = 43

    /// The kind of a well-formed credential; nil when the text can't be one (then nothing is asked of the store).
    public init?(shapeOf text: String) {
        var text = text
        let prefix: String? = text.withUTF8 { bytes in
            guard bytes.count == 4 + Self.bodyLength, bytes[4...].allSatisfy(Self.isBase64URL) else { return nil }
            return String(decoding: bytes[..<4], as: UTF8.self)
        }
        guard let prefix, let kind = Self(rawValue: prefix) else { return nil }
        self = kind
    }

    private static func isBase64URL(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }
}

/// SHA-256 of a credential, the only form the store ever sees. A plain hash is enough: the secret has 256 random bits.
public struct CredentialDigest: Hashable, Sendable {
    public let bytes: [UInt8]
    public init(bytes: [UInt8]) { self.bytes = bytes }
}

/// A machine's own credential.
public struct AgentKey: Sendable, Hashable {
    public var id: ID<AgentKey>
    public var tenant: ID<Tenant>
    public var machine: ID<Machine>
    public var label: String
    /// Blocks of addresses it may come from, each `ADDRESS/BITS`; none means any.
    public var allowFrom: [String]
    public var createdAt: Timestamp
    public var expiresAt: Timestamp?
    public var revokedAt: Timestamp?
    public var lastUsedAt: Timestamp?

    public init(
        id: ID<AgentKey>, tenant: ID<Tenant>, machine: ID<Machine>, label: String, allowFrom: [String] = [],
        createdAt: Timestamp, expiresAt: Timestamp? = nil, revokedAt: Timestamp? = nil, lastUsedAt: Timestamp? = nil
    ) {
        self.id = id
        self.tenant = tenant
        self.machine = machine
        self.label = label
        self.allowFrom = allowFrom
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.revokedAt = revokedAt
        self.lastUsedAt = lastUsedAt
    }
}

/// Single use: buys one agent key for one machine.
public struct EnrolmentToken: Sendable, Hashable {
    public var id: ID<EnrolmentToken>
    public var tenant: ID<Tenant>
    public var machine: ID<Machine>
    /// Blocks of addresses it may come from, each `ADDRESS/BITS`; none means any.
    public var allowFrom: [String]
    public var createdAt: Timestamp
    public var expiresAt: Timestamp
    public var consumedAt: Timestamp?
    public var revokedAt: Timestamp?

    public init(
        id: ID<EnrolmentToken>, tenant: ID<Tenant>, machine: ID<Machine>, allowFrom: [String] = [],
        createdAt: Timestamp, expiresAt: Timestamp,
        consumedAt: Timestamp? = nil, revokedAt: Timestamp? = nil
    ) {
        self.id = id
        self.tenant = tenant
        self.machine = machine
        self.allowFrom = allowFrom
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.consumedAt = consumedAt
        self.revokedAt = revokedAt
    }
}

/// A token that acts for a user: `tgp_…` a person's, `tgs_…` a service's.
public struct AccessToken: Sendable, Hashable {
    public var id: ID<AccessToken>
    public var tenant: ID<Tenant>
    public var user: ID<User>
    public var label: String
    /// Nil: whatever the user's role has.
    public var scopes: Scopes?
    /// Blocks of addresses it may come from, each `ADDRESS/BITS`; none means any.
    public var allowFrom: [String]
    public var createdAt: Timestamp
    public var expiresAt: Timestamp?
    /// What it was made to last, and what a renewal gives it again; nil for one that never expires.
    public var lifetime: Duration?
    public var revokedAt: Timestamp?
    public var lastUsedAt: Timestamp?

    public init(
        id: ID<AccessToken>, tenant: ID<Tenant>, user: ID<User>, label: String, scopes: Scopes? = nil,
        allowFrom: [String] = [], createdAt: Timestamp, expiresAt: Timestamp?, lifetime: Duration?,
        revokedAt: Timestamp? = nil, lastUsedAt: Timestamp? = nil
    ) {
        self.id = id
        self.tenant = tenant
        self.user = user
        self.label = label
        self.scopes = scopes
        self.allowFrom = allowFrom
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.lifetime = lifetime
        self.revokedAt = revokedAt
        self.lastUsedAt = lastUsedAt
    }

    /// What it may be used for, for a user with that role.
    public func scopes(of role: Role) -> Scopes { scopes.map(role.scopes.intersection) ?? role.scopes }
}
