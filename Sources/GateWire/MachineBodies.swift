public import GateModel

/// `POST /api/v1/machines`.
public struct AddMachineRequest: Codable, WireRequest {
    public var name: String
    public var agentID: String?
    public var organization: String?
    public var site: String?
    public var tags: [String]?
    /// Seconds the enrolment token stays good; default 24 h, at most 30 d.
    public var enrolmentTTL: Int?

    public init(
        name: String, agentID: String? = nil, organization: String? = nil, site: String? = nil, tags: [String]? = nil,
        enrolmentTTL: Int? = nil
    ) {
        self.name = name
        self.agentID = agentID
        self.organization = organization
        self.site = site
        self.tags = tags
        self.enrolmentTTL = enrolmentTTL
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case name, organization, site, tags
        case agentID = "agent_id"
        case enrolmentTTL = "enrolment_ttl"
    }
}

/// `PATCH /api/v1/machines/{agent_id}`: a JSON merge patch (RFC 7396). An absent field stays; `null` empties
/// `organization` and `site`, and is refused for `name` and `tags`.
public struct PatchMachineRequest: Codable, WireRequest {
    public var name: String?
    public var organization: String??
    public var site: String??
    public var tags: [String]?

    public init(name: String? = nil, organization: String?? = nil, site: String?? = nil, tags: [String]? = nil) {
        self.name = name
        self.organization = organization
        self.site = site
        self.tags = tags
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func optional(_ key: CodingKeys) throws -> String?? {
            guard values.contains(key) else { return .none }
            return .some(try values.decodeNil(forKey: key) ? nil : try values.decode(String.self, forKey: key))
        }
        name = values.contains(.name) ? try values.decode(String.self, forKey: .name) : nil
        tags = values.contains(.tags) ? try values.decode([String].self, forKey: .tags) : nil
        organization = try optional(.organization)
        site = try optional(.site)
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encodeIfPresent(name, forKey: .name)
        try values.encodeIfPresent(tags, forKey: .tags)
        if let organization { try values.encode(organization, forKey: .organization) }
        if let site { try values.encode(site, forKey: .site) }
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable { case name, organization, site, tags }
}

/// A lease as answers show it.
public struct LeaseBody: Codable, Sendable, Equatable {
    public var address: String
    public var port: Int
    public var generation: Int64
    public var expiresAt: Timestamp

    public init(address: String, port: Int, generation: Int64, expiresAt: Timestamp) {
        self.address = address
        self.port = port
        self.generation = generation
        self.expiresAt = expiresAt
    }

    enum CodingKeys: String, CodingKey {
        case address, port, generation
        case expiresAt = "expires_at"
    }
}

/// A machine as answers show it. Absent facts are `null`, never left out.
public struct MachineBody: Codable, Sendable, Equatable {
    public var id: String
    public var agentID: String
    public var name: String
    public var organization: String
    public var site: String
    public var tags: [String]
    public var createdAt: Timestamp
    public var updatedAt: Timestamp
    public var enrolledAt: Timestamp?
    public var lastSeenAt: Timestamp?
    /// True while a connection of this machine's current key is live and its leased port is listened on.
    public var connected: Bool
    public var transport: String
    public var operatingSystem: String
    public var agentVersion: String
    public var source: String
    public var hostKeys: [String]
    public var lease: LeaseBody?

    public init(
        id: String, agentID: String, name: String, organization: String, site: String, tags: [String],
        createdAt: Timestamp, updatedAt: Timestamp, enrolledAt: Timestamp?, lastSeenAt: Timestamp?, connected: Bool,
        transport: String, operatingSystem: String, agentVersion: String, source: String, hostKeys: [String],
        lease: LeaseBody?
    ) {
        self.id = id
        self.agentID = agentID
        self.name = name
        self.organization = organization
        self.site = site
        self.tags = tags
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.enrolledAt = enrolledAt
        self.lastSeenAt = lastSeenAt
        self.connected = connected
        self.transport = transport
        self.operatingSystem = operatingSystem
        self.agentVersion = agentVersion
        self.source = source
        self.hostKeys = hostKeys
        self.lease = lease
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        try values.encode(agentID, forKey: .agentID)
        try values.encode(name, forKey: .name)
        try values.encode(organization, forKey: .organization)
        try values.encode(site, forKey: .site)
        try values.encode(tags, forKey: .tags)
        try values.encode(createdAt, forKey: .createdAt)
        try values.encode(updatedAt, forKey: .updatedAt)
        try values.encode(enrolledAt, forKey: .enrolledAt)
        try values.encode(lastSeenAt, forKey: .lastSeenAt)
        try values.encode(connected, forKey: .connected)
        try values.encode(transport, forKey: .transport)
        try values.encode(operatingSystem, forKey: .operatingSystem)
        try values.encode(agentVersion, forKey: .agentVersion)
        try values.encode(source, forKey: .source)
        try values.encode(hostKeys, forKey: .hostKeys)
        try values.encode(lease, forKey: .lease)
    }

    enum CodingKeys: String, CodingKey {
        case id, name, organization, site, tags, connected, transport, source, lease
        case agentID = "agent_id"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
        case enrolledAt = "enrolled_at"
        case lastSeenAt = "last_seen_at"
        case operatingSystem = "os"
        case agentVersion = "agent_version"
        case hostKeys = "host_keys"
    }
}

/// An enrolment token. `token` is there once, in the answer that made it.
public struct EnrolmentBody: Codable, Sendable, Equatable {
    public var id: String
    public var token: String?
    public var createdAt: Timestamp
    public var expiresAt: Timestamp
    public var consumedAt: Timestamp?
    public var revokedAt: Timestamp?
    /// A copy-paste line for the machine.
    public var command: String?

    public init(
        id: String, token: String?, createdAt: Timestamp, expiresAt: Timestamp, consumedAt: Timestamp? = nil,
        revokedAt: Timestamp? = nil, command: String? = nil
    ) {
        self.id = id
        self.token = token
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.consumedAt = consumedAt
        self.revokedAt = revokedAt
        self.command = command
    }

    /// Absent facts are `null`; a secret is there once or not at all.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        try values.encode(createdAt, forKey: .createdAt)
        try values.encode(expiresAt, forKey: .expiresAt)
        try values.encode(consumedAt, forKey: .consumedAt)
        try values.encode(revokedAt, forKey: .revokedAt)
        try values.encodeIfPresent(token, forKey: .token)
        try values.encodeIfPresent(command, forKey: .command)
    }

    enum CodingKeys: String, CodingKey {
        case id, token, command
        case createdAt = "created_at"
        case expiresAt = "expires_at"
        case consumedAt = "consumed_at"
        case revokedAt = "revoked_at"
    }
}

/// 201 of `POST /api/v1/machines`.
public struct AddedMachineBody: Codable, Sendable, Equatable {
    public var machine: MachineBody
    public var enrolment: EnrolmentBody

    public init(machine: MachineBody, enrolment: EnrolmentBody) {
        self.machine = machine
        self.enrolment = enrolment
    }
}

/// `POST /api/v1/machines/{agent_id}/enrolments`.
public struct AddEnrolmentRequest: Codable, WireRequest {
    /// Seconds; default 24 h, at most 30 d.
    public var ttl: Int?
    /// Addresses or blocks it may come from; absent or empty: any.
    public var allowFrom: [String]?

    public init(ttl: Int? = nil, allowFrom: [String]? = nil) {
        self.ttl = ttl
        self.allowFrom = allowFrom
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case ttl
        case allowFrom = "allow_from"
    }
}

/// `POST /api/v1/machines/{agent_id}/keys`: a body isn't needed.
public struct AddAgentKeyRequest: Codable, WireRequest {
    public var label: String?
    /// Seconds; absent: until revoked.
    public var ttl: Int?
    /// Addresses or blocks it may come from; absent or empty: any.
    public var allowFrom: [String]?

    public init(label: String? = nil, ttl: Int? = nil, allowFrom: [String]? = nil) {
        self.label = label
        self.ttl = ttl
        self.allowFrom = allowFrom
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case label, ttl
        case allowFrom = "allow_from"
    }
}

/// An agent key's metadata. `key` is there once, in the 201 that made it.
public struct AgentKeyBody: Codable, Sendable, Equatable {
    public var id: String
    public var machineID: String
    public var key: String?
    public var createdAt: Timestamp
    public var lastUsedAt: Timestamp?
    public var revokedAt: Timestamp?

    public init(
        id: String, machineID: String, key: String? = nil, createdAt: Timestamp, lastUsedAt: Timestamp? = nil,
        revokedAt: Timestamp? = nil
    ) {
        self.id = id
        self.machineID = machineID
        self.key = key
        self.createdAt = createdAt
        self.lastUsedAt = lastUsedAt
        self.revokedAt = revokedAt
    }

    /// The answer that made it has its text and no more than was made; in lists absent facts are `null`.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        try values.encode(machineID, forKey: .machineID)
        try values.encode(createdAt, forKey: .createdAt)
        if let key {
            try values.encode(key, forKey: .key)
        } else {
            try values.encode(lastUsedAt, forKey: .lastUsedAt)
            try values.encode(revokedAt, forKey: .revokedAt)
        }
    }

    enum CodingKeys: String, CodingKey {
        case id, key
        case machineID = "machine_id"
        case createdAt = "created_at"
        case lastUsedAt = "last_used_at"
        case revokedAt = "revoked_at"
    }
}
