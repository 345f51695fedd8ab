import GateModel
import GateWire

/// `agent.json`: what enrolment taught this machine of its gateway. The agent key is a file of its own.
public struct AgentFile: Codable, Sendable, Equatable {
    public var url: String
    public var agentID: String
    public var machineID: String
    public var name: String
    public var overSSH: String?
    public var sshConfig: String?
    public var caFile: String?
    public var target: String?
    /// Coordinates and host keys, renewed by each registration.
    public var gateway: GatewayBody?

    public init(
        url: String, agentID: String, machineID: String, name: String, overSSH: String? = nil, sshConfig: String? = nil,
        caFile: String? = nil, target: String? = nil, gateway: GatewayBody? = nil
    ) {
        self.url = url
        self.agentID = agentID
        self.machineID = machineID
        self.name = name
        self.overSSH = overSSH
        self.sshConfig = sshConfig
        self.caFile = caFile
        self.target = target
        self.gateway = gateway
    }

    enum CodingKeys: String, CodingKey {
        case url, name, target, gateway
        case agentID = "agent_id"
        case machineID = "machine_id"
        case overSSH = "over_ssh"
        case sshConfig = "ssh_config"
        case caFile = "ca_file"
    }
}

/// `session.json`: the facts of the last registration, for scripts on the machine. Replaced whole, mode 0600.
public struct SessionFile: Codable, Sendable, Equatable {
    public var agentID: String
    public var machineID: String
    public var portB: Int
    public var generation: Int64
    public var sshUser: String
    public var sshJumpUser: String
    public var sshJumpHost: String
    public var reverseBindHost: String
    public var connectHint: String
    /// `host:port` of the gateway's sshd.
    public var gateway: String
    /// `host:port` on this side of the tunnel.
    public var target: String
    public var updatedAt: Timestamp

    public init(_ body: RegisteredBody, target: String, at now: Timestamp) {
        agentID = body.agentID
        machineID = body.machineID
        portB = body.portB
        generation = body.generation
        sshUser = body.sshUser
        sshJumpUser = body.sshJumpUser
        sshJumpHost = body.sshJumpHost
        reverseBindHost = body.reverseBindHost
        connectHint = body.connectHint
        let host = body.gateway.sshHost
        gateway = "\(host.contains(":") ? "[\(host)]" : host):\(body.gateway.sshPort)"
        self.target = target
        updatedAt = now
    }

    enum CodingKeys: String, CodingKey {
        case generation, gateway, target
        case agentID = "agent_id"
        case machineID = "machine_id"
        case portB = "port_b"
        case sshUser = "ssh_user"
        case sshJumpUser = "ssh_jump_user"
        case sshJumpHost = "ssh_jump_host"
        case reverseBindHost = "reverse_bind_host"
        case connectHint = "connect_hint"
        case updatedAt = "updated_at"
    }
}
