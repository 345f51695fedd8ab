public import GateControl
public import GateModel
public import GateWire

/// What the routes call, built once by `main`.
public struct GateServices: Sendable {
    public let machines: MachineService
    public let enrolment: EnrolmentService
    public let agentKeys: AgentKeyService
    public let registration: RegistrationService
    public let agents: AgentAdmission
    public let tunnelKeys: TunnelKeyService
    public let proxies: ProxyService
    public let forwardKeys: ForwardKeyService
    public let tokens: TokenService
    public let nodeTokens: NodeTokenService
    public let users: UserService
    public let grants: GrantService
    public let tenants: TenantService
    public let setup: SetupService
    public let audit: AuditService
    public let following: AuditFollowing
    public let tickets: TicketService
    public let sharedKeyImport: SharedKeyImport
    public let signIn: SignInServices
    /// Where browsers reach the gateway, for the cookie and against requests that other sites cause.
    public let browser: BrowserOrigin
    /// How much each source and each credential may ask, of listeners that strangers reach.
    public let limits: RequestLimits
    public let keys: KeyTable
    public let gateway: GatewayFacts
    public let readiness: @Sendable () async -> Readiness
    public let gauges: @Sendable () -> [(name: String, help: String, value: Double)]
    /// Called with each registration, for the gateway's log.
    public let registered: @Sendable (_ machine: Machine, _ lease: Lease, _ source: String) -> Void

    public init(
        machines: MachineService, enrolment: EnrolmentService, agentKeys: AgentKeyService,
        registration: RegistrationService, agents: AgentAdmission, tunnelKeys: TunnelKeyService,
        proxies: ProxyService, forwardKeys: ForwardKeyService, tokens: TokenService, nodeTokens: NodeTokenService,
        users: UserService, grants: GrantService, tenants: TenantService,
        setup: SetupService, audit: AuditService, following: AuditFollowing, tickets: TicketService,
        sharedKeyImport: SharedKeyImport, signIn: SignInServices, browser: BrowserOrigin,
        limits: RequestLimits, keys: KeyTable, gateway: GatewayFacts,
        readiness: @escaping @Sendable () async -> Readiness,
        gauges: @escaping @Sendable () -> [(name: String, help: String, value: Double)],
        registered: @escaping @Sendable (_ machine: Machine, _ lease: Lease, _ source: String) -> Void
    ) {
        self.machines = machines
        self.enrolment = enrolment
        self.agentKeys = agentKeys
        self.registration = registration
        self.agents = agents
        self.tunnelKeys = tunnelKeys
        self.proxies = proxies
        self.forwardKeys = forwardKeys
        self.tokens = tokens
        self.nodeTokens = nodeTokens
        self.users = users
        self.grants = grants
        self.tenants = tenants
        self.setup = setup
        self.audit = audit
        self.following = following
        self.tickets = tickets
        self.sharedKeyImport = sharedKeyImport
        self.signIn = signIn
        self.browser = browser
        self.limits = limits
        self.keys = keys
        self.gateway = gateway
        self.readiness = readiness
        self.gauges = gauges
        self.registered = registered
    }
}

/// What the gateway tells agents and people about itself.
public struct GatewayFacts: Sendable {
    public let body: GatewayBody
    public let heartbeatSeconds: Int

    public init(body: GatewayBody, heartbeatSeconds: Int) {
        self.body = body
        self.heartbeatSeconds = heartbeatSeconds
    }
}

/// The answer of `/readyz`: ready when nothing is in `faults`.
public struct Readiness: Sendable {
    public var faults: [String]
    /// Worth knowing, not worth refusing traffic for.
    public var warnings: [String]

    public init(faults: [String], warnings: [String] = []) {
        self.faults = faults
        self.warnings = warnings
    }
}
