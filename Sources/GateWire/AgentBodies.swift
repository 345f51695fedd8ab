public import GateModel

/// How to reach this gateway's sshd, and which host keys to pin.
public struct GatewayBody: Codable, Sendable, Equatable {
    public var id: String
    public var version: String
    public var publicURL: String
    public var sshHost: String
    public var sshPort: Int
    public var sshUser: String
    /// `type base64` lines.
    public var sshHostKeys: [String]
    /// Where the API listens as seen from the gateway itself, `127.0.0.1:12000`: a machine's own key line opens it.
    public var apiAddress: String?

    public init(
        id: String, version: String, publicURL: String, sshHost: String, sshPort: Int, sshUser: String,
        sshHostKeys: [String], apiAddress: String?
    ) {
        self.id = id
        self.version = version
        self.publicURL = publicURL
        self.sshHost = sshHost
        self.sshPort = sshPort
        self.sshUser = sshUser
        self.sshHostKeys = sshHostKeys
        self.apiAddress = apiAddress
    }

    enum CodingKeys: String, CodingKey {
        case id, version
        case publicURL = "public_url"
        case sshHost = "ssh_host"
        case sshPort = "ssh_port"
        case sshUser = "ssh_user"
        case sshHostKeys = "ssh_host_keys"
        case apiAddress = "api_address"
    }
}

/// `POST /api/v1/agent/enrol`, with the enrolment token as bearer.
public struct EnrolRequest: Codable, WireRequest {
    /// The machine's first ed25519 public key, `type base64`: it opens the API through the gateway's sshd.
    public var publicKey: String
    /// Checked against the machine's, when given.
    public var agentID: String?

    public init(publicKey: String, agentID: String? = nil) {
        self.publicKey = publicKey
        self.agentID = agentID
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case publicKey = "public_key"
        case agentID = "agent_id"
    }
}

/// 201 of `POST /api/v1/agent/enrol`.
public struct EnrolledBody: Codable, Sendable, Equatable {
    public var agentID: String
    public var machineID: String
    public var name: String
    /// `cak_…`, shown this once.
    public var agentKey: String
    public var gateway: GatewayBody

    public init(agentID: String, machineID: String, name: String, agentKey: String, gateway: GatewayBody) {
        self.agentID = agentID
        self.machineID = machineID
        self.name = name
        self.agentKey = agentKey
        self.gateway = gateway
    }

    enum CodingKeys: String, CodingKey {
        case name, gateway
        case agentID = "agent_id"
        case machineID = "machine_id"
        case agentKey = "agent_key"
    }
}

/// `POST /api/v1/agent/register`, with the agent key as bearer. The same public key again is answered with the same
/// generation; another one raises it and revokes the key before.
public struct RegisterRequest: Codable, WireRequest {
    public var publicKey: String
    /// The host keys of the sshd behind the tunnel, `type base64` each, at most 8.
    public var hostKeys: [String]
    public var operatingSystem: String
    public var agentVersion: String

    public init(publicKey: String, hostKeys: [String], operatingSystem: String, agentVersion: String) {
        self.publicKey = publicKey
        self.hostKeys = hostKeys
        self.operatingSystem = operatingSystem
        self.agentVersion = agentVersion
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case publicKey = "public_key"
        case hostKeys = "host_keys"
        case operatingSystem = "os"
        case agentVersion = "agent_version"
    }
}

/// 200 of `POST /api/v1/agent/register`.
public struct RegisteredBody: Codable, Sendable, Equatable {
    public var agentID: String
    public var machineID: String
    public var name: String
    public var portB: Int
    public var generation: Int64
    public var sshUser: String
    public var sshJumpUser: String
    public var sshJumpHost: String
    public var reverseBindHost: String
    /// `ssh -J user@host:port -p PORT 127.0.0.1`, for a person.
    public var connectHint: String
    public var leaseExpiresAt: Timestamp
    public var heartbeatSeconds: Int
    public var gateway: GatewayBody

    public init(
        agentID: String, machineID: String, name: String, portB: Int, generation: Int64, sshUser: String,
        sshJumpUser: String, sshJumpHost: String, reverseBindHost: String, connectHint: String,
        leaseExpiresAt: Timestamp, heartbeatSeconds: Int, gateway: GatewayBody
    ) {
        self.agentID = agentID
        self.machineID = machineID
        self.name = name
        self.portB = portB
        self.generation = generation
        self.sshUser = sshUser
        self.sshJumpUser = sshJumpUser
        self.sshJumpHost = sshJumpHost
        self.reverseBindHost = reverseBindHost
        self.connectHint = connectHint
        self.leaseExpiresAt = leaseExpiresAt
        self.heartbeatSeconds = heartbeatSeconds
        self.gateway = gateway
    }

    enum CodingKeys: String, CodingKey {
        case name, generation, gateway
        case agentID = "agent_id"
        case machineID = "machine_id"
        case portB = "port_b"
        case sshUser = "ssh_user"
        case sshJumpUser = "ssh_jump_user"
        case sshJumpHost = "ssh_jump_host"
        case reverseBindHost = "reverse_bind_host"
        case connectHint = "connect_hint"
        case leaseExpiresAt = "lease_expires_at"
        case heartbeatSeconds = "heartbeat_seconds"
    }
}

/// `POST /api/v1/agent/heartbeat`. 409 `GENERATION_SUPERSEDED` when another process took over, 404 `LEASE_NOT_FOUND`
/// when the lease is gone: then register again.
public struct HeartbeatRequest: Codable, WireRequest {
    public var generation: Int64

    public init(generation: Int64) { self.generation = generation }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable { case generation }
}

/// 200 of `POST /api/v1/agent/heartbeat`.
public struct HeartbeatBody: Codable, Sendable, Equatable {
    public var status: String
    public var leaseExpiresAt: Timestamp

    public init(status: String, leaseExpiresAt: Timestamp) {
        self.status = status
        self.leaseExpiresAt = leaseExpiresAt
    }

    enum CodingKeys: String, CodingKey {
        case status
        case leaseExpiresAt = "lease_expires_at"
    }
}
