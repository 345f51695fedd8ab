import GateCompatibility
import GateControl
import GateHTTP
import GateLog
import GateModel
import GateOutbound
import GatePanel
import GateProcess
import GateSSHServer
import GateStore
import GateStoreSQLite
import GateWire
import Glibc
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// Puts a gateway together and runs it until it is told to stop. Built by hand, top to bottom: nothing below reads the
/// environment or the clock.
struct GatewayRun {
    /// How long a graceful stop may take before what is left is cancelled.
    static let stopTime = Duration.seconds(10)

    let settings: ServeSettings
    let isService: Bool
    /// From the stage that had root, when there was one.
    let inherited: LauncherInheritance?
    /// What keeps this start from being safer, for the log and for /readyz.
    let warning: String?
    let logger: Logger

    func run() async throws {
        let now: @Sendable () -> Timestamp = { SystemClock.now() }
        // Whatever a setting gets wrong is said before anything is made.
        if settings.ssh != .off {
            _ = try await SSHPreparation.settings(
                settings, folder: settings.stateDirectory, socket: nil, isRoot: geteuid() == 0 || inherited != nil,
                logger: quiet)
        }
        let outbound = MeteredOutbound(try OutboundClient(settings))
        let state = try StateDirectory(path: settings.stateDirectory, inherited: inherited?.stateLock)
        let database = try await StoreOpening.open(settings, now: now())
        let identity = try await StoreOpening.identity(database, now: now())
        let auditing = Auditing(isRequired: settings.audit.isRequired)
        let health = GatewayHealth(auditing: auditing)
        if let warning {
            health.warn(warning)
            logger.warning("\(warning)")
        }
        let tls = try settings.tls.map { files in
            do { return try TLSIdentity(certificate: files.certificate, key: files.key) } catch {
                throw StartFault("tls-certificate, tls-key: \(error)")
            }
        }

        let keys = KeyTable()
        let effects = DeferredEffects()
        let ports = try await database.read { [settings] tx in
            PortPool(
                address: settings.leaseAddress, range: settings.leasePorts,
                held: try tx.leasedPorts(on: identity.gateway, address: settings.leaseAddress),
                rests: try tx.restingPorts(on: identity.gateway, address: settings.leaseAddress, at: now()))
        }
        let hotState = HotState()
        let refusals = RefusalLog()
        let dependencies = ControlDependencies(
            database: database, identity: identity, now: now, keys: keys, credentials: CredentialCache(), ports: ports,
            hotState: hotState, refusals: refusals, effects: effects.closures, auditing: auditing, logger: logger)

        let ssh = try await SSHSide.prepare(
            settings, dependencies: dependencies, database: database, health: health, effects: effects,
            inherited: inherited,
            logger: logger)
        let signIn = SignInServices(
            dependencies, masterKey: try await MasterKeyFile.load(settings, database: database),
            policy: .init(idle: settings.sessionIdle, absolute: settings.sessionLifetime),
            outside: settings.outsideSignIn.settings, outbound: outbound)
        let browser = BrowserOrigin(url: settings.panelURL)
        let audit = AuditService(dependencies)
        let (auditTail, tickets) = (AuditTail(), TicketService(dependencies))
        let setup = SetupService(dependencies) { [settings] in unlink(FirstAdministrator.secretFile(settings)) }
        let facts = GatewayFacts(
            body: .init(
                id: identity.gateway.text, version: TidegateVersion.text, publicURL: settings.publicURL,
                sshHost: settings.sshPublic.host, sshPort: settings.sshPublic.port, sshUser: ssh.loginUser,
                sshHostKeys: ssh.hostKeys, apiAddress: ssh.apiAddress),
            heartbeatSeconds: Int(settings.heartbeat.components.seconds))
        let metrics = HTTPMetrics()
        let nodeTokens = NodeTokenMemory()
        let fleet = settings.fleet.map {
            FleetNodes(dependencies, fleet: $0, outbound: outbound, memory: nodeTokens, logger: logger)
        }
        let secrets = EnvironmentSecrets(
            settings.environmentCredentials.entries(logger: logger) { health.warn($0) }, tenant: identity.tenant)
        let limits = RequestLimits(settings.requestRules, refusals: refusals)
        let gauges = GatewayMetrics(
            database: database, dependencies: dependencies, ssh: ssh, outbound: outbound, limits: limits,
            nodeTokens: fleet?.counts)
        let proxies = ProxyService(
            dependencies,
            policy: ProxyPolicy(allowsLoopback: settings.allowsProxyLoopback, leasePorts: settings.leasePorts),
            own: ssh.hostKeys.first.map { key in
                OwnSSHD(
                    host: settings.sshPublic.host, port: settings.sshPublic.port, login: ssh.loginUser, hostKey: key)
            }, scan: HostKeyScan.keys)
        let forwardKeys = ForwardKeyService(dependencies, proxies: proxies)
        let tunnelKeys = TunnelKeyService(dependencies)
        let services = GateServices(
            machines: MachineService(dependencies), enrolment: EnrolmentService(dependencies),
            agentKeys: AgentKeyService(dependencies),
            registration: RegistrationService(dependencies, leaseLifetime: settings.leaseLifetime),
            agents: AgentAdmission(dependencies), tunnelKeys: tunnelKeys, proxies: proxies,
            forwardKeys: forwardKeys, tokens: TokenService(dependencies),
            nodeTokens: NodeTokenService(dependencies, memory: nodeTokens), users: UserService(dependencies),
            grants: GrantService(dependencies), tenants: TenantService(dependencies),
            setup: setup, audit: audit,
            following: AuditFollowing(dependencies, tail: auditTail), tickets: tickets,
            sharedKeyImport: SharedKeyImport(dependencies), signIn: signIn, browser: browser,
            limits: limits, keys: keys, gateway: facts, readiness: { health.readiness },
            gauges: { gauges.samples },
            registered: { [logger] machine, lease, source in
                logger.info(
                    "registered",
                    metadata: [
                        "gate.machine.id": "\(machine.id)", "gate.agent.id": "\(machine.agentID)",
                        "gate.source": "\(source)",
                        "gate.port": "\(lease.port)", "gate.generation": "\(lease.generation)",
                    ])
            })
        let dialect = try settings.sharedKeys.map { shared in
            try shared.dialect(
                dependencies, facts: facts, leaseLifetime: settings.leaseLifetime, logger: logger)
        }
        let panel = try Panel(signIn: signIn, browser: browser, now: now) { [openID = signIn.openID] returnTo in
            guard let openID else { return [] }
            return [
                OutsideWay(
                    label: openID.providerName,
                    href: "/api/v1/auth/oidc/start?return_to=\(percentEncoded(returnTo.rawValue))")
            ]
        }
        // The panel first: a dialect that takes every method of `/` leaves it what people open.
        let api = GatewayAPI(
            services: services, sources: SourceAddress(trusted: settings.trustedProxies), metrics: metrics,
            dialects: [
                { book in panel.add(to: book) },
                { book in
                    ArgusTunnelRoutes(keys: forwardKeys, proxies: proxies, owned: tunnelKeys).add(to: book)
                    ArgusAdminRoutes(proxies: proxies, keys: tunnelKeys).add(to: book)
                },
            ]
                + (dialect.map { dialect in [{ book in dialect.add(to: book) }] } ?? []))
        let admin = try AdminSocket.prepare(stateDirectory: state.path, tenant: identity.tenant)
        warnAboutAddresses(browser)

        do {
            try await FirstAdministrator(setup: setup, settings: settings, inherited: inherited, logger: logger).offer()
        } catch {
            throw StartFault("the first administrator's token or secret could not be written: \(error)")
        }

        // Announced when all listeners stand: ready means reachable.
        let listeners = Countdown(2)
        let opened: @Sendable () async -> Void = {
            guard listeners.arrive() else { return }
            health.started()
            logger.notice(
                "ready",
                metadata: [
                    "gate.url": "\(settings.publicURL)", "gate.listen": "\(settings.listen.text)",
                    "gate.ssh": "\(settings.ssh.rawValue)", "gate.version": "\(TidegateVersion.text)",
                    "gate.ssh.public": "\(settings.sshPublic.text)", "gate.state": "\(state.path)",
                ])
            _ = SystemdNotify()?.ready(status: "Serving \(settings.publicURL)")
        }
        let apiListener = GateHTTPServer.application(
            api.router(.bearer(Authentication(dependencies, others: (fleet.map { [$0] } ?? []) + [secrets]))),
            address: .hostname(settings.listen.host, port: settings.listen.port), tls: tls, logger: logger,
            onServerRunning: { _ in await opened() })
        let adminListener = GateHTTPServer.application(
            api.router(admin.mode), address: .unixDomainSocket(path: admin.path), tls: nil, logger: logger,
            onServerRunning: { _ in
                chmod(admin.path, 0o600)
                await opened()
            })

        let started = ContinuousClock.now
        let clockSteps = Mutex(ClockSteps(grace: reportingTime))
        var all: [any Service] = ssh.services
        all += AuditServices(
            settings: settings, dependencies: dependencies, tail: auditTail, outbound: outbound, logger: logger
        )
        .all()
        all += [
            PeriodicWork(name: "refusals", interval: .seconds(60), runsAtEnd: true, logger: logger) {
                try await refusals.flush(to: database, identity: identity, at: now())
            },
            PeriodicWork(name: "uses", interval: .seconds(60), runsAtEnd: true, logger: logger) {
                try await dependencies.uses.flush(to: database, identity: identity, at: now())
            },
            PeriodicWork(name: "hot state", interval: .seconds(2), runsAtEnd: true, logger: logger) {
                try await hotState.flush(to: database, gateway: identity.gateway)
            },
            PeriodicWork(name: "sweep", interval: .seconds(1), logger: logger) { [logger] in
                let (wall, elapsed) = (now(), started.duration(to: .now))
                let (step, endsLeases) = clockSteps.withLock { steps in
                    (steps.observe(wall: wall, elapsed: elapsed), steps.mayEndLeases(elapsed: elapsed))
                }
                if let step {
                    logger.warning(
                        "the clock was set; leases wait for their agents to report",
                        metadata: ["gate.seconds": "\(step.components.seconds)"])
                }
                // First: whose time is over must not go on while the store is slow.
                dependencies.credentials.streams.end(expiredAt: wall)
                try await LeaseSweep(dependencies).run(endsLeases: endsLeases)
            },
            PeriodicWork(name: "sign-in sweep", interval: .seconds(1), logger: logger) { try await signIn.sweep() },
            PeriodicWork(name: "identity provider", interval: .seconds(15), logger: logger) {
                try await signIn.askProviders()
            },
            PeriodicWork(name: "tickets", interval: .seconds(30), logger: logger) { try await tickets.sweep() },
            PeriodicWork(name: "store probe", interval: .milliseconds(500), logger: logger) {
                let isReachable = (try? database.readNow { tx in try tx.firstGateway() != nil }) ?? false
                health.store(isReachable: isReachable)
            },
            apiListener, adminListener,
        ]
        if !database.wasRead { all.append(StoreReading(database: database, health: health, logger: logger)) }
        if let watchdog = SystemdNotify.watchdogInterval(), let notify = SystemdNotify() {
            all.append(PeriodicWork(name: "watchdog", interval: watchdog / 2, logger: logger) { _ = notify.watchdog() })
        }
        // Gracefully also after a failure: a listener that is cancelled drops what it has just accepted, which NIO traps.
        var configuration = ServiceGroupConfiguration(
            services: all.map { .init(service: $0, failureTerminationBehavior: .gracefullyShutdownGroup) },
            logger: quiet)
        configuration.maximumGracefulShutdownDuration = Self.stopTime
        configuration.maximumCancellationDuration = .seconds(5)
        let group = ServiceGroup(configuration: configuration)
        let signals = GatewaySignals(group: group, health: health, tls: tls, files: settings.tls, logger: logger)
        do {
            try await signals.run { try await group.run() }
        } catch {
            throw StartFault(Self.words(error, settings))
        }
        unlink(admin.path)
        // So that the file alone is the whole store while nothing runs.
        try? await database.checkpoint()
        try? await database.close()
        logger.notice("stopped")
    }

    /// In this time every living agent has reported: two of our heartbeats, or of the dialect's, which are an hour apart.
    private var reportingTime: Duration {
        max(settings.heartbeat * 2, .seconds(120), settings.sharedKeys == nil ? .zero : .seconds(2 * 3_600 + 300))
    }

    /// The group's own chatter is for debugging.
    private var quiet: Logger {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .error)
        return quiet
    }

    private func warnAboutAddresses(_ browser: BrowserOrigin) {
        if !browser.allowsSessions {
            logger.warning(
                "nobody can sign in with a browser: over plain http a session would be readable on the way; give TLS files or an https --panel-url",
                metadata: ["gate.panel": "\(browser.text)"])
        }
        if settings.sshPublic.host != settings.sshListen.host, settings.sshListen.isWildcard,
            settings.sshPublic == settings.sshListen.asSeen
        {
            logger.warning(
                "ssh-public isn't set: agents are told to connect to loopback",
                metadata: ["gate.ssh.public": "\(settings.sshPublic.text)"])
        }
        if settings.leaseAddress != "127.0.0.1", settings.leaseAddress != "::1" {
            logger.warning(
                "leased ports are bound beyond loopback: whoever reaches them reaches the machines' sshd",
                metadata: ["gate.address": "\(settings.leaseAddress)"])
        }
        if settings.tls == nil, !settings.listen.host.hasPrefix("127."), settings.listen.host != "::1" {
            logger.warning(
                "the API speaks plain http beyond loopback: agents and clients refuse that; give --tls-certificate and --tls-key, or put a proxy before it",
                metadata: ["gate.listen": "\(settings.listen.text)"])
        }
    }

    private static func words(_ error: any Error, _ settings: ServeSettings) -> String {
        if let error = error as? IOError, error.errnoCode == EADDRINUSE {
            return "listen: \(settings.listen.text) is taken by another program"
        }
        if let error = error as? IOError, error.errnoCode == EACCES {
            return "listen: this user may not bind \(settings.listen.text)"
        }
        return "\(error)"
    }
}

/// The wall clock, in one place.
enum SystemClock {
    static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }
}

/// True for the last of several arrivals.
private final class Countdown: Sendable {
    private let left: Mutex<Int>
    init(_ count: Int) { left = Mutex(count) }

    func arrive() -> Bool {
        left.withLock { left in
            left -= 1
            return left == 0
        }
    }
}
