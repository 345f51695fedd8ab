import ArgumentParser
import GateAgent
import GateLog
import GateModel
import GateProcess
import Glibc
import Logging
import ServiceLifecycle
import UnixSignals

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keep the tunnel to the gateway until told to stop.",
        discussion: """
            Examples:
              tidegate-agent run
              tidegate-agent run --target 127.0.0.1:2022
              tidegate-agent run --over-ssh gate --ssh-config /etc/tidegate/ssh_config

            Ends with 0 when told to stop, 75 when another process took this machine's place, 77 (with -d) when the
            gateway does not know this machine any more.
            """)

    @Flag(
        name: [.customShort("d"), .customLong("systemd")],
        help: "Run under systemd: log for the journal, tell it when ready.")
    var isService = false

    @Flag(name: .shortAndLong, help: "Say more; twice: what ssh says too.")
    var verbose: Int

    @Option(
        help: ArgumentHelp("The gateway's sshd, when not where it says (TIDEGATE_AGENT_SSH_HOST).", valueName: "host"))
    var sshHost: String?

    @Option(help: ArgumentHelp("Its port (TIDEGATE_AGENT_SSH_PORT).", valueName: "port"))
    var sshPort: String?

    @OptionGroup var way: WayOptions
    @OptionGroup var state: StateOption

    func run() async throws {
        let outcome: TunnelStateMachine.Outcome
        do { outcome = try await keepTunnel() } catch { throw fail(error) }
        switch outcome {
        case .requested: return
        case .superseded:
            say("tidegate-agent: another process runs with this machine's key; two can't. Was the machine cloned?")
            throw ExitCode(75)
        case .credentialGone:
            say("tidegate-agent: the gateway does not know this machine's key any more: enrol it again, with --again")
            throw ExitCode(77)
        }
    }

    private func keepTunnel() async throws -> TunnelStateMachine.Outcome {
        var flags = way.flags(state)
        flags.sshHost = sshHost
        flags.sshPort = sshPort
        let settings = try AgentSettings(flags: flags, environment: Launch.environment)
        let key = try settings.agentKey(environment: Launch.environment)
        guard let url = settings.url else {
            throw AgentError.configuration(
                "no gateway is known: enrol this machine with `tidegate-agent enrol URL`, or set TIDEGATE_URL")
        }
        let lock = try settings.state.lock()
        defer { withExtendedLifetime(lock) {} }
        let level: Logger.Level = verbose > 1 ? .trace : verbose == 1 ? .debug : .info
        let log = ServiceLog.make("tidegate-agent", isService: isService, level: level)
        let tools = try SSHTools.find(environment: Launch.environment)
        if await ProcessRecord.endOrphan(in: settings.state) { log.info("ended the ssh of an earlier agent") }

        let chosen = try await ControlWay.choose(
            settings: settings, url: url, credential: key, tools: tools, log: log)
        let control = ControlPlane(way: chosen.way, agentKey: key, ring: KeyRing(folder: settings.state.keyFolder))
        let runtime = AgentRuntime(
            settings: settings, tools: tools, control: control, route: chosen.route, log: log, now: { .now() })
        let notify = isService ? SystemdNotify(environment: { Launch.environment[$0] }) : nil
        let supervisor = TunnelSupervisor(
            machine: TunnelStateMachine(stopsWhenRefused: isService),
            performer: .init(
                register: { () async throws(TunnelSupervisor.Fault) in try await runtime.register() },
                heartbeat: { await runtime.heartbeat($0) },
                open: { attempt async throws(AgentError) in try await runtime.open(attempt: attempt) },
                notice: { notice in
                    AgentLog.write(notice, to: log)
                    switch notice {
                    case .tunnelUp: notify?.ready(status: "the tunnel is up")
                    case .tunnelEnded: notify?.status("the tunnel is down")
                    case .registrationFailed(let words): notify?.status(words)
                    case .waiting, .heartbeatFailed, .tunnelStopped: break
                    }
                }))
        let service = AgentService(supervisor: supervisor)
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)
        ]
        let interval = SystemdNotify.watchdogInterval(environment: { Launch.environment[$0] })
        if let notify, let interval {
            services.append(
                .init(
                    service: WatchdogService(interval: interval, notify: notify, supervisor: supervisor),
                    successTerminationBehavior: .ignore))
        }
        var quiet = log
        quiet.logLevel = .error
        let group = ServiceGroup(
            configuration: .init(services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet))
        try await group.run()
        notify?.stopping()
        return service.outcome ?? .requested
    }
}

extension Timestamp {
    /// The host's wall clock.
    static func now() -> Self {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Self(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }
}
