public import GateModel

/// `POST /api/v1/tunnel-keys`: a person's key for the jump. 201, or 200 when this owner registered it before.
public struct AddTunnelKeyRequest: Codable, WireRequest {
    /// `ssh-ed25519 AAAA… [comment]` or `sk-ssh-ed25519@openssh.com AAAA…`; the comment is dropped.
    public var publicKey: String
    /// `agent_id` or name of each machine it may jump to, 1 to 64.
    public var machines: [String]
    public var label: String?
    /// Seconds until no new login is let in: 60 to 31536000, default 30 d.
    public var ttl: Int?
    /// Seconds until live connections end: at least `ttl`; default `ttl`.
    public var connectionTTL: Int?

    public init(
        publicKey: String, machines: [String], label: String? = nil, ttl: Int? = nil, connectionTTL: Int? = nil
    ) {
        self.publicKey = publicKey
        self.machines = machines
        self.label = label
        self.ttl = ttl
        self.connectionTTL = connectionTTL
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case machines, label, ttl
        case publicKey = "public_key"
        case connectionTTL = "connection_ttl"
    }
}

/// A machine a tunnel key may reach. `lease` is null while the machine holds no port.
public struct ReachableMachineBody: Codable, Sendable, Equatable {
    public var id: String
    public var agentID: String
    public var name: String
    public var hostKeys: [String]
    public var lease: LeaseBody?

    public init(id: String, agentID: String, name: String, hostKeys: [String], lease: LeaseBody?) {
        self.id = id
        self.agentID = agentID
        self.name = name
        self.hostKeys = hostKeys
        self.lease = lease
    }

    /// Absent facts are `null`, never left out.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        try values.encode(agentID, forKey: .agentID)
        try values.encode(name, forKey: .name)
        try values.encode(hostKeys, forKey: .hostKeys)
        try values.encode(lease, forKey: .lease)
    }

    enum CodingKeys: String, CodingKey {
        case id, name, lease
        case agentID = "agent_id"
        case hostKeys = "host_keys"
    }
}

/// A tunnel key as answers show it.
public struct TunnelKeyBody: Codable, Sendable, Equatable {
    public var id: String
    public var purpose: String
    public var fingerprint: String
    public var publicKey: String
    public var label: String
    public var machines: [ReachableMachineBody]
    public var createdAt: Timestamp
    public var loginUntil: Timestamp
    public var connectionUntil: Timestamp
    public var revokedAt: Timestamp?

    public init(
        id: String, purpose: String, fingerprint: String, publicKey: String, label: String,
        machines: [ReachableMachineBody], createdAt: Timestamp, loginUntil: Timestamp, connectionUntil: Timestamp,
        revokedAt: Timestamp?
    ) {
        self.id = id
        self.purpose = purpose
        self.fingerprint = fingerprint
        self.publicKey = publicKey
        self.label = label
        self.machines = machines
        self.createdAt = createdAt
        self.loginUntil = loginUntil
        self.connectionUntil = connectionUntil
        self.revokedAt = revokedAt
    }

    /// Absent facts are `null`, never left out.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        try values.encode(purpose, forKey: .purpose)
        try values.encode(fingerprint, forKey: .fingerprint)
        try values.encode(publicKey, forKey: .publicKey)
        try values.encode(label, forKey: .label)
        try values.encode(machines, forKey: .machines)
        try values.encode(createdAt, forKey: .createdAt)
        try values.encode(loginUntil, forKey: .loginUntil)
        try values.encode(connectionUntil, forKey: .connectionUntil)
        try values.encode(revokedAt, forKey: .revokedAt)
    }

    enum CodingKeys: String, CodingKey {
        case id, purpose, fingerprint, label, machines
        case publicKey = "public_key"
        case createdAt = "created_at"
        case loginUntil = "login_until"
        case connectionUntil = "connection_until"
        case revokedAt = "revoked_at"
    }
}

/// One live sshd connection, as `GET /api/v1/connections` lists it.
public struct ConnectionBody: Codable, Sendable, Equatable {
    public var id: String
    public var keyID: String
    public var purpose: String
    public var pid: Int
    public var source: String
    public var startedAt: Timestamp

    public init(id: String, keyID: String, purpose: String, pid: Int, source: String, startedAt: Timestamp) {
        self.id = id
        self.keyID = keyID
        self.purpose = purpose
        self.pid = pid
        self.source = source
        self.startedAt = startedAt
    }

    enum CodingKeys: String, CodingKey {
        case id, purpose, pid, source
        case keyID = "key_id"
        case startedAt = "started_at"
    }
}
