public import GateModel
public import GateSSH

/// One sshd process: the pid and its start time (clock ticks since boot), which together are never reused.
public struct SSHProcess: Hashable, Sendable {
    public let pid: Int32
    public let startTime: UInt64

    public init(pid: Int32, startTime: UInt64) {
        self.pid = pid
        self.startTime = startTime
    }
}

/// A literal address and port on the gateway.
public struct GatePort: Hashable, Sendable {
    public let address: String
    public let port: Int

    public init(address: String, port: Int) {
        self.address = address
        self.port = port
    }
}

/// What one tunnel key may do right now, as a decision: the caller writes the key line from it.
public struct KeyGrant: Hashable, Sendable {
    public enum Reach: Hashable, Sendable {
        case reverse(GatePort)
        case jump([GatePort])
        case control
        /// The targets behind this gateway's own sshd.
        case forward([SSHTarget])

        public var purpose: TunnelKey.Purpose {
            switch self {
            case .reverse: .reverse
            case .jump: .jump
            case .control: .control
            case .forward: .forward
            }
        }
    }

    public let key: ID<TunnelKey>
    public let tenant: ID<Tenant>
    public let fingerprint: String
    /// `type base64`.
    public let publicKey: String
    public let reach: Reach
    /// The machines whose ports the line names; ending one of their leases ends this key's connections.
    public let machines: [ID<Machine>]
    /// Machines the key may reach that hold no port now: once one does, the line is written anew.
    public let awaited: Set<ID<Machine>>
    /// The agent key that brought this key, if an agent did: revoking that one ends this one's connections.
    public let agentKey: ID<AgentKey>?
    /// Which of its machine's keys is newer, where several are good at once; else nil.
    public let issue: Int64?
    /// Blocks of addresses the login may come from; none means any.
    public let allowFrom: [String]
    /// No login after this.
    public let loginUntil: Timestamp

    public init(
        key: ID<TunnelKey>, tenant: ID<Tenant>, fingerprint: String, publicKey: String, reach: Reach,
        machines: [ID<Machine>], awaited: Set<ID<Machine>> = [],
        agentKey: ID<AgentKey>? = nil, issue: Int64? = nil, allowFrom: [String] = [], loginUntil: Timestamp
    ) {
        self.key = key
        self.tenant = tenant
        self.fingerprint = fingerprint
        self.publicKey = publicKey
        self.reach = reach
        self.machines = machines
        self.awaited = awaited
        self.agentKey = agentKey
        self.issue = issue
        self.allowFrom = allowFrom
        self.loginUntil = loginUntil
    }
}

extension KeyGrant.Reach {
    /// A person's or program's own: what it names is decided anew when something about them changes.
    var isPersonal: Bool {
        switch self {
        case .jump, .forward: true
        case .reverse, .control: false
        }
    }

    /// What a forward key's line names.
    var targets: [SSHTarget] { if case .forward(let targets) = self { targets } else { [] } }
}
