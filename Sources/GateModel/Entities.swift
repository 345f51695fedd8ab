/// Whose things these are. One tenant exists from the start; every row names one.
public enum Tenant {}

/// A private host with an agent.
public struct Machine: Sendable, Hashable {
    public var id: ID<Machine>
    public var tenant: ID<Tenant>
    public var agentID: AgentID
    public var name: MachineName
    public var organization: String
    public var site: String
    public var tags: [Tag]
    public var createdAt: Timestamp
    public var updatedAt: Timestamp
    public var enrolledAt: Timestamp?
    public var registeredAt: Timestamp?
    public var lastSeenAt: Timestamp?
    public var operatingSystem: String
    public var agentVersion: String
    public var source: String
    /// `type base64` lines as the agent reported them.
    public var hostKeys: [String]

    public init(
        id: ID<Machine>, tenant: ID<Tenant>, agentID: AgentID, name: MachineName, organization: String = "",
        site: String = "", tags: [Tag] = [], createdAt: Timestamp, updatedAt: Timestamp, enrolledAt: Timestamp? = nil,
        registeredAt: Timestamp? = nil, lastSeenAt: Timestamp? = nil, operatingSystem: String = "",
        agentVersion: String = "", source: String = "", hostKeys: [String] = []
    ) {
        self.id = id
        self.tenant = tenant
        self.agentID = agentID
        self.name = name
        self.organization = organization
        self.site = site
        self.tags = tags
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.enrolledAt = enrolledAt
        self.registeredAt = registeredAt
        self.lastSeenAt = lastSeenAt
        self.operatingSystem = operatingSystem
        self.agentVersion = agentVersion
        self.source = source
        self.hostKeys = hostKeys
    }
}

/// One gateway process's identity in the store; leases name it.
public enum Gateway {}

/// (gateway, address, port) given to a machine until `expiresAt`. `generation` rises when a new agent process takes over.
public struct Lease: Sendable, Hashable {
    public var tenant: ID<Tenant>
    public var gateway: ID<Gateway>
    public var machine: ID<Machine>
    public var address: String
    public var port: Int
    public var generation: Int64
    public var createdAt: Timestamp
    public var expiresAt: Timestamp

    public init(
        tenant: ID<Tenant>, gateway: ID<Gateway>, machine: ID<Machine>, address: String, port: Int, generation: Int64,
        createdAt: Timestamp, expiresAt: Timestamp
    ) {
        self.tenant = tenant
        self.gateway = gateway
        self.machine = machine
        self.address = address
        self.port = port
        self.generation = generation
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }
}

/// A registered SSH public key and what it may reach.
public struct TunnelKey: Sendable, Hashable {
    public enum Purpose: String, Sendable, CaseIterable {
        /// An agent's `ssh -R` of its own leased port.
        case reverse
        /// A person's way to the leased ports of the machines it names.
        case jump
        /// A person's or program's way through proxies to the targets beyond them.
        case forward
        /// An enrolled machine's way to the gateway's own API, before its first lease.
        case control
    }

    public var id: ID<TunnelKey>
    public var tenant: ID<Tenant>
    public var purpose: Purpose
    public var fingerprint: String
    /// `type base64`, nothing after it.
    public var publicKey: String
    public var label: String
    /// The user a jump or forward key belongs to.
    public var user: ID<User>?
    /// The machine a reverse or control key belongs to.
    public var machine: ID<Machine>?
    /// The agent key whose registration brought a reverse or control key: revoking it revokes this one.
    public var agentKey: ID<AgentKey>?
    /// The one proxy a forward key is good on; nil: on every active one.
    public var proxy: ID<Proxy>?
    /// Which of a machine's keys is newer, where several may be good until one of them has logged in; else nil.
    public var issue: Int64?
    public var createdAt: Timestamp
    /// No new login after this.
    public var loginUntil: Timestamp
    /// Live connections end then.
    public var connectionUntil: Timestamp
    public var revokedAt: Timestamp?

    public init(
        id: ID<TunnelKey>, tenant: ID<Tenant>, purpose: Purpose, fingerprint: String, publicKey: String,
        label: String = "", user: ID<User>? = nil, machine: ID<Machine>? = nil, agentKey: ID<AgentKey>? = nil,
        proxy: ID<Proxy>? = nil, issue: Int64? = nil, createdAt: Timestamp, loginUntil: Timestamp,
        connectionUntil: Timestamp,
        revokedAt: Timestamp? = nil
    ) {
        self.id = id
        self.tenant = tenant
        self.purpose = purpose
        self.fingerprint = fingerprint
        self.publicKey = publicKey
        self.label = label
        self.user = user
        self.machine = machine
        self.agentKey = agentKey
        self.proxy = proxy
        self.issue = issue
        self.createdAt = createdAt
        self.loginUntil = loginUntil
        self.connectionUntil = connectionUntil
        self.revokedAt = revokedAt
    }
}

/// One sshd process that asked for, or logged in with, a tunnel key.
public struct LiveConnection: Sendable, Hashable {
    public var id: ID<LiveConnection>
    public var gateway: ID<Gateway>
    public var key: ID<TunnelKey>
    public var pid: Int32
    /// Clock ticks since boot, from /proc/PID/stat; with `bootID` it tells this process from a later one of the same pid.
    public var startTime: UInt64
    public var bootID: String
    public var source: String
    public var startedAt: Timestamp

    public init(
        id: ID<LiveConnection>, gateway: ID<Gateway>, key: ID<TunnelKey>, pid: Int32, startTime: UInt64, bootID: String,
        source: String, startedAt: Timestamp
    ) {
        self.id = id
        self.gateway = gateway
        self.key = key
        self.pid = pid
        self.startTime = startTime
        self.bootID = bootID
        self.source = source
        self.startedAt = startedAt
    }
}
