public import GateModel
public import GateStore
public import Logging

/// This gateway in the store: its id and the tenant that was made with it.
public struct GatewayIdentity: Sendable, Hashable {
    public let gateway: ID<Gateway>
    public let tenant: ID<Tenant>

    public init(gateway: ID<Gateway>, tenant: ID<Tenant>) {
        self.gateway = gateway
        self.tenant = tenant
    }
}

/// What the use cases need from outside, built once by `main`.
public struct ControlDependencies: Sendable {
    public let database: any Database
    public let identity: GatewayIdentity
    public let now: @Sendable () -> Timestamp
    public let keys: KeyTable
    public let credentials: CredentialCache
    public let ports: PortPool
    public let hotState: HotState
    public let refusals: RefusalLog
    public let effects: SSHEffects
    public let auditing: Auditing
    public let uses: UseLog
    public let logger: Logger
    let outdated = OutdatedAgents()
    let leases = LeaseCache()

    public init(
        database: any Database, identity: GatewayIdentity, now: @escaping @Sendable () -> Timestamp, keys: KeyTable,
        credentials: CredentialCache, ports: PortPool, hotState: HotState, refusals: RefusalLog, effects: SSHEffects,
        auditing: Auditing = Auditing(), uses: UseLog = UseLog(), logger: Logger
    ) {
        self.database = database
        self.identity = identity
        self.now = now
        self.keys = keys
        self.credentials = credentials
        self.ports = ports
        self.hotState = hotState
        self.refusals = refusals
        self.effects = effects
        self.auditing = auditing
        self.uses = uses
        self.logger = logger
    }
}

/// What the use cases make happen around sshd. Only closures: deciding stays here, processes and sockets elsewhere.
public struct SSHEffects: Sendable {
    /// Ends these connections and returns when they are gone (or a bounded time has passed).
    public var end: @Sendable ([SSHProcess]) async -> Void
    /// Called after keys changed and before connections are ended: rewrites the authorized_keys file of the mode without
    /// a helper.
    public var keysChanged: @Sendable () async -> Void
    /// Who listens on the port of that address: nil when nobody does, else whether it is the gateway's sshd.
    public var holder: @Sendable (_ address: String, _ port: Int) -> PortHolder?
    /// The leased ports that the gateway's sshd listens on, read once for a whole list.
    public var listeningPorts: @Sendable () -> Set<Int>
    /// Called after keys that aren't ed25519 were brought over: sshd takes none until its configuration says so.
    public var rsaKeysImported: @Sendable () async -> Void

    public init(
        end: @escaping @Sendable ([SSHProcess]) async -> Void, keysChanged: @escaping @Sendable () async -> Void,
        holder: @escaping @Sendable (_ address: String, _ port: Int) -> PortHolder?,
        listeningPorts: @escaping @Sendable () -> Set<Int>,
        rsaKeysImported: @escaping @Sendable () async -> Void = {}
    ) {
        self.end = end
        self.keysChanged = keysChanged
        self.holder = holder
        self.listeningPorts = listeningPorts
        self.rsaKeysImported = rsaKeysImported
    }
}

/// Who holds a port.
public enum PortHolder: Sendable, Hashable {
    case ownSSHD
    case stranger(uid: UInt32)
}

/// Who asks, and from where.
public struct Caller: Sendable, Hashable {
    public let principal: Principal
    /// The address the request came from, after trusted proxies.
    public let source: String

    public init(principal: Principal, source: String) {
        self.principal = principal
        self.source = source
    }

    var tenant: ID<Tenant> { principal.tenant }

    /// The id of the credential used, for the audit trail.
    var credential: String {
        switch principal {
        case .user(_, .token(let token), _): "token:\(token)"
        case .user(_, .session(let session), _): "session:\(session)"
        case .user(_, .node(let instance), _): "node:\(instance?.rawValue ?? "")"
        case .localAdministrator: "admin-socket"
        case .machine(_, _, .agentKey(let key)): "agent-key:\(key)"
        case .machine(_, _, .node(let owner, let instance)): "node:\(instance) of user:\(owner)"
        case .machine(_, _, .agentAPIKey): EnvironmentCredential.agent.rawValue
        case .environment(let credential, _): credential.rawValue
        }
    }

    /// Throws `forbidden` unless the caller's credential has all of `scopes`.
    public func require(_ scopes: Scopes) throws(ControlError) {
        guard principal.scopes.isSuperset(of: scopes) else { throw .forbidden }
    }

    func has(_ scopes: Scopes) -> Bool { principal.scopes.isSuperset(of: scopes) }
}
