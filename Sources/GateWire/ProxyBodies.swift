public import GateModel

/// `POST /api/v1/proxies`: another host's sshd with `host`, `login` and `host_key`, or the gateway's own without.
public struct AddProxyRequest: Codable, WireRequest {
    public var name: String
    /// A name or a literal address; absent: this gateway's own sshd.
    public var host: String?
    /// Default 22.
    public var port: Int?
    /// The login there; default `tidegate`.
    public var login: String?
    /// `type base64`, which somebody compared with the host's own.
    public var hostKey: String?
    public var targetHost: String
    public var targetPort: Int
    /// Default true.
    public var active: Bool?

    public init(
        name: String, host: String? = nil, port: Int? = nil, login: String? = nil, hostKey: String? = nil,
        targetHost: String, targetPort: Int, active: Bool? = nil
    ) {
        self.name = name
        self.host = host
        self.port = port
        self.login = login
        self.hostKey = hostKey
        self.targetHost = targetHost
        self.targetPort = targetPort
        self.active = active
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, host, port, login, active
        case hostKey = "host_key"
        case targetHost = "target_host"
        case targetPort = "target_port"
    }
}

/// `PATCH /api/v1/proxies/{proxy}`: what is absent stays as it is.
public struct PatchProxyRequest: Codable, WireRequest {
    public var host: String?
    public var port: Int?
    public var login: String?
    public var targetHost: String?
    public var targetPort: Int?

    public init(
        host: String? = nil, port: Int? = nil, login: String? = nil, targetHost: String? = nil, targetPort: Int? = nil
    ) {
        self.host = host
        self.port = port
        self.login = login
        self.targetHost = targetHost
        self.targetPort = targetPort
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case host, port, login
        case targetHost = "target_host"
        case targetPort = "target_port"
    }
}

/// `POST /api/v1/proxies/scan`: what keys does this host offer?
public struct ScanProxyRequest: Codable, WireRequest {
    public var host: String
    public var port: Int?

    public init(host: String, port: Int? = nil) {
        self.host = host
        self.port = port
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable { case host, port }
}

/// A host key for a person to compare.
public struct HostKeyBody: Codable, Sendable, Equatable {
    /// `ssh-ed25519`, …
    public var type: String
    /// `SHA256:` and 43 characters.
    public var fingerprint: String
    /// `type base64`.
    public var key: String

    public init(type: String, fingerprint: String, key: String) {
        self.type = type
        self.fingerprint = fingerprint
        self.key = key
    }
}

/// `POST /api/v1/proxies/{proxy}/host-key`.
public struct SetHostKeyRequest: Codable, WireRequest {
    /// `type base64`; absent: what the host offers now, unconfirmed if it is another one than before.
    public var hostKey: String?
    /// Seconds for which the old key is good too: 0 to 2592000, default one day.
    public var overlap: Int?

    public init(hostKey: String? = nil, overlap: Int? = nil) {
        self.hostKey = hostKey
        self.overlap = overlap
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case overlap
        case hostKey = "host_key"
    }
}

/// `POST /api/v1/proxies/{proxy}/activate`.
public struct ActivateProxyRequest: Codable, WireRequest {
    /// Switches every other proxy off at the same moment.
    public var exclusive: Bool?

    public init(exclusive: Bool? = nil) { self.exclusive = exclusive }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable { case exclusive }
}

/// `POST /api/v1/proxies/{proxy}/token`.
public struct RotateProxyTokenRequest: Codable, WireRequest {
    /// Seconds for which the tokens before it are good too: 0 to 2592000, default one day.
    public var overlap: Int?

    public init(overlap: Int? = nil) { self.overlap = overlap }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable { case overlap }
}

/// A proxy. `token` is there once: when it was made.
public struct ProxyBody: Codable, Sendable, Equatable {
    public var id: String
    public var name: String
    public var active: Bool
    /// True: this gateway's own sshd.
    public var own: Bool
    public var host: String
    public var port: Int
    public var login: String
    public var targetHost: String
    public var targetPort: Int
    /// `type base64`, the one to pin first; a second one is that of before, still good.
    public var hostKeys: [String]
    /// False: taken from the network, and nobody said yet that it is the right one.
    public var hostKeyConfirmed: Bool
    public var createdAt: Timestamp
    public var updatedAt: Timestamp
    public var token: String?

    public init(
        id: String, name: String, active: Bool, own: Bool, host: String, port: Int, login: String, targetHost: String,
        targetPort: Int, hostKeys: [String], hostKeyConfirmed: Bool, createdAt: Timestamp, updatedAt: Timestamp,
        token: String?
    ) {
        self.id = id
        self.name = name
        self.active = active
        self.own = own
        self.host = host
        self.port = port
        self.login = login
        self.targetHost = targetHost
        self.targetPort = targetPort
        self.hostKeys = hostKeys
        self.hostKeyConfirmed = hostKeyConfirmed
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.token = token
    }

    enum CodingKeys: String, CodingKey {
        case id, name, active, own, host, port, login, token
        case targetHost = "target_host"
        case targetPort = "target_port"
        case hostKeys = "host_keys"
        case hostKeyConfirmed = "host_key_confirmed"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }
}

/// `POST /api/v1/forward-keys`.
public struct AddForwardKeyRequest: Codable, WireRequest {
    /// `ssh-ed25519 AAAA… [comment]` or `sk-ssh-ed25519@openssh.com AAAA…`; the comment is dropped.
    public var publicKey: String
    /// The name or id of the one proxy it is for; absent: every active one.
    public var proxy: String?
    public var label: String?
    /// Seconds: 3600 to 2592000, default one day.
    public var ttl: Int?

    public init(publicKey: String, proxy: String? = nil, label: String? = nil, ttl: Int? = nil) {
        self.publicKey = publicKey
        self.proxy = proxy
        self.label = label
        self.ttl = ttl
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case proxy, label, ttl
        case publicKey = "public_key"
    }
}

/// A registered forward key and the proxies it is good on, the one to try first before the others.
public struct ForwardKeyBody: Codable, Sendable, Equatable {
    public var id: String
    public var fingerprint: String
    public var label: String
    public var createdAt: Timestamp
    public var expiresAt: Timestamp
    public var proxies: [ProxyBody]

    public init(
        id: String, fingerprint: String, label: String, createdAt: Timestamp, expiresAt: Timestamp,
        proxies: [ProxyBody]
    ) {
        self.id = id
        self.fingerprint = fingerprint
        self.label = label
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.proxies = proxies
    }

    enum CodingKeys: String, CodingKey {
        case id, fingerprint, label, proxies
        case createdAt = "created_at"
        case expiresAt = "expires_at"
    }
}
