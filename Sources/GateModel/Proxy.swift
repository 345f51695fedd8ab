/// A host whose sshd lets people's and programs' forward keys reach one target beyond it.
public struct Proxy: Sendable, Hashable {
    public var id: ID<Proxy>
    public var tenant: ID<Tenant>
    public var name: ProxyName
    /// The gateway whose own sshd it is: then the host, the login and the host key are the gateway's. Nil: another host.
    public var gateway: ID<Gateway>?
    /// Where clients find its sshd: a name or a literal address.
    public var host: String
    public var port: Int
    public var login: LoginName
    public var targetHost: String
    public var targetPort: Int
    /// `type base64`.
    public var hostKey: String
    /// The key before the last change, good until `previousHostKeyUntil`: clients that learnt it need not fail meanwhile.
    public var previousHostKey: String?
    public var previousHostKeyUntil: Timestamp?
    /// Nil: the host key was taken from the network and nobody said yet that it is the right one.
    public var hostKeyConfirmedAt: Timestamp?
    /// Whose token its sshd looks keys up with; nil for the gateway's own.
    public var serviceUser: ID<User>?
    public var createdAt: Timestamp
    public var updatedAt: Timestamp
    /// Nil while it is switched off: no key is good on it.
    public var activatedAt: Timestamp?

    public init(
        id: ID<Proxy>, tenant: ID<Tenant>, name: ProxyName, gateway: ID<Gateway>? = nil, host: String, port: Int,
        login: LoginName, targetHost: String, targetPort: Int, hostKey: String, previousHostKey: String? = nil,
        previousHostKeyUntil: Timestamp? = nil, hostKeyConfirmedAt: Timestamp?, serviceUser: ID<User>? = nil,
        createdAt: Timestamp, updatedAt: Timestamp, activatedAt: Timestamp?
    ) {
        self.id = id
        self.tenant = tenant
        self.name = name
        self.gateway = gateway
        self.host = host
        self.port = port
        self.login = login
        self.targetHost = targetHost
        self.targetPort = targetPort
        self.hostKey = hostKey
        self.previousHostKey = previousHostKey
        self.previousHostKeyUntil = previousHostKeyUntil
        self.hostKeyConfirmedAt = hostKeyConfirmedAt
        self.serviceUser = serviceUser
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.activatedAt = activatedAt
    }

    public var isActive: Bool { activatedAt != nil }
}

/// A proxy's name, `^[a-z0-9][a-z0-9.-]{0,54}$`: behind `proxy-` it names the proxy's service user.
public struct ProxyName: CheckedName {
    public let rawValue: String
    public static let rule = "1 to 55 characters: lower-case letters, digits, '.' and '-', first a letter or digit"

    public init?(rawValue: String) {
        let bytes = rawValue.utf8
        guard (1...55).contains(bytes.count), let first = bytes.first, isLowerAlphanumeric(first),
            bytes.allSatisfy({ isLowerAlphanumeric($0) || ".-".utf8.contains($0) })
        else { return nil }
        self.rawValue = rawValue
    }
}
