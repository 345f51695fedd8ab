import GateClient
import GateModel
import GateProcess
import GateSSH
import GateWire
import Logging

/// One agent at work: what the supervisor's wishes come to on this machine.
public actor AgentRuntime {
    private let settings: AgentSettings
    private let tools: SSHTools
    private let control: ControlPlane
    private let route: OverSSHRoute?
    private let log: Logger
    private let now: @Sendable () -> Timestamp
    private var registration: (answer: RegisteredBody, key: KeyRing.Entry)?
    private var scanned: (keys: [SSHHostKey], at: ContinuousClock.Instant)?

    /// How long host keys are taken for the same. Each scan makes connections that never log in, which sshd 9.8 and
    /// later count against their source address.
    static let scanLifetime = Duration.seconds(600)

    public init(
        settings: AgentSettings, tools: SSHTools, control: ControlPlane, route: OverSSHRoute?, log: Logger,
        now: @escaping @Sendable () -> Timestamp
    ) {
        self.settings = settings
        self.tools = tools
        self.control = control
        self.route = route
        self.log = log
        self.now = now
    }

    /// Asks for the lease and writes down what was granted.
    public func register() async throws(TunnelSupervisor.Fault) -> TunnelSupervisor.Granted {
        do {
            let answered = try await control.register(
                hostKeys: await hostKeys(), operatingSystem: OperatingSystem.text())
            try take(answered.answer)
            registration = answered
            let lease = TunnelStateMachine.Lease(port: answered.answer.portB, generation: answered.answer.generation)
            return .init(lease: lease, heartbeatSeconds: min(max(answered.answer.heartbeatSeconds, 1), 86_400))
        } catch {
            throw TunnelSupervisor.Fault(error)
        }
    }

    public func heartbeat(_ generation: Int64) async -> TunnelSupervisor.Pulse {
        do {
            _ = try await control.heartbeat(generation: generation)
            return .answered
        } catch let error as GatewayClientError where error.status == 404 {
            return .leaseGone
        } catch {
            return .failed(.init(error))
        }
    }

    /// Starts ssh for the last registration.
    public func open(attempt: Int) throws(AgentError) -> any Tunnel {
        guard let (answer, key) = registration else { throw .unreachable("no lease is held") }
        let arguments = try tunnelArguments(answer, identity: key.path, attempt: attempt)
        let log = self.log
        return try SSHTunnel.open(arguments, tools: tools, state: settings.state) { line in
            log.trace("ssh: \(TerminalText.neutralised(line))")
        }
    }

    func tunnelArguments(
        _ answer: RegisteredBody, identity: String, attempt: Int
    ) throws(AgentError) -> [String] {
        var gateway = answer.gateway
        if let host = settings.sshHost { gateway.sshHost = host }
        if let port = settings.sshPort { gateway.sshPort = port }
        gateway.sshUser = answer.sshUser
        do {
            let listen = try SSHAddress(host: answer.reverseBindHost, port: answer.portB)
            if let route {
                return try route.tunnel(
                    identity: identity, knownHosts: settings.state.knownHosts, gateway: gateway, listen: listen,
                    target: settings.target, ssh: tools.ssh, attempt: attempt)
            }
            return try SSHArguments.reverseTunnel(
                identity: identity, knownHosts: settings.state.knownHosts, hostKeyAlias: GatewayPin.alias(of: gateway),
                gatewayHost: gateway.sshHost, gatewayPort: gateway.sshPort, user: gateway.sshUser, listen: listen,
                target: settings.target.text, configFile: settings.sshConfig)
        } catch let error as AgentError {
            throw error
        } catch {
            throw .refused("the gateway's answer can't be used: \(error)")
        }
    }

    private func hostKeys() async -> [SSHHostKey] {
        if let scanned, !scanned.keys.isEmpty, .now - scanned.at < Self.scanLifetime { return scanned.keys }
        let keys = await HostKeyScan.keys(of: settings.target, tools: tools)
        // Once for each time it goes away: this is asked again at every attempt.
        if keys.isEmpty, scanned?.keys.isEmpty != true {
            log.warning(
                "no sshd answers at the target: people can't check whom they reach until the next registration",
                metadata: ["gate.target": "\(settings.target)"])
        }
        scanned = (keys, .now)
        return keys
    }

    private func take(_ answer: RegisteredBody) throws(AgentError) {
        if let wanted = settings.agentID, wanted.rawValue != answer.agentID {
            throw .configuration("--agent-id says \(wanted), but this machine's key belongs to \(answer.agentID)")
        }
        do { try PrivateFile.write(try GatewayPin.knownHosts(answer.gateway), to: settings.state.knownHosts) } catch {
            throw error as? AgentError ?? .state("\(error)")
        }
        let session = SessionFile(answer, target: settings.target.text, at: now())
        try settings.state.store(session)
        if var agent = settings.stored {
            agent.gateway = answer.gateway
            agent.name = answer.name
            try settings.state.store(agent)
        }
        log.info("registered", metadata: AgentLog.metadata(session))
    }
}

/// The agent's log lines.
public enum AgentLog {
    /// The facts of `session.json`, under its names.
    public static func metadata(_ session: SessionFile) -> Logger.Metadata {
        [
            "agent_id": "\(session.agentID)", "machine_id": "\(session.machineID)", "port_b": "\(session.portB)",
            "generation": "\(session.generation)", "ssh_user": "\(session.sshUser)",
            "ssh_jump_user": "\(session.sshJumpUser)", "ssh_jump_host": "\(session.sshJumpHost)",
            "reverse_bind_host": "\(session.reverseBindHost)", "connect_hint": "\(session.connectHint)",
            "gateway": "\(session.gateway)", "target": "\(session.target)",
        ]
    }

    /// One line for each notice of the supervisor.
    public static func write(_ notice: TunnelSupervisor.Notice, to log: Logger) {
        switch notice {
        case .registrationFailed(let words): log.warning("not registered: \(words)")
        case .tunnelUp: log.info("the tunnel is up")
        case .tunnelEnded(let words, let wasStable):
            log.warning("the tunnel ended: \(words)", metadata: ["stable": "\(wasStable)"])
        case .tunnelStopped: log.info("the tunnel is closed")
        case .waiting(let duration):
            let milliseconds = duration.wholeMicroseconds / 1_000
            log.info("trying again in \(milliseconds / 1_000).\(milliseconds / 100 % 10) s")
        case .heartbeatFailed(let words): log.warning("no heartbeat: \(words)")
        }
    }
}
