import ArgumentParser
import GateLog
import GateModel
import GateProcess
import GateSSHServer
import Glibc
import Logging

/// `tidegate serve`.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a gateway.",
        discussion: """
            Each flag has an environment variable (TIDEGATE_…, as in TIDEGATE_SSH_LISTEN) and a key of the --config file \
            (ssh-listen: …). Flags win over the environment, the environment over the file. These secrets are read from the \
            environment alone and removed from it: TIDEGATE_DRAIN_SECRET, AGENT_API_KEY (deprecated), and \
            TIDEGATE_OIDC_CLIENT_SECRET, which may also be in a file.

            Examples:
              tidegate serve
              tidegate serve --listen 0.0.0.0:443 --tls-certificate chain.pem --tls-key key.pem \\
                  --public-url https://gate.example.org --ssh-listen 0.0.0.0:2222 --ssh-public gate.example.org:2222
              tidegate serve --config /etc/tidegate/gateway.yaml -d
              tidegate serve --ssh external --print-drop-in
            """)

    @Flag(
        name: [.customShort("d"), .customLong("systemd")],
        help: "Run under systemd: journal log lines, readiness, watchdog.")
    var isService = false

    @Flag(help: "Also log every line of sshd and of health checks.")
    var verbose = false

    @Flag(help: "With --ssh external: print the sshd drop-in and exit.")
    var printDropIn = false

    @Option(help: ArgumentHelp("YAML file with these settings.", valueName: "file"))
    var config: String?

    @OptionGroup(title: "Settings")
    var flags: ServeFlags

    func run() async throws {
        umask(0o077)
        let logger = ServiceLog.make("tidegate", isService: isService, level: verbose ? .debug : .info)
        do {
            let environment = SystemEnvironment.values
            // The stage that had root has read the file, which may be closed to this user, and left its settings.
            let isSecondStage = environment[LauncherInheritance.variable] != nil
            let values = try ServeSettings.values(
                flags: flags.values, file: isSecondStage ? nil : config, environment: environment)
            let settings = try ServeSettings(
                values, environment: environment, isRoot: geteuid() == 0 || isSecondStage)
            SharedKeySettings.forget()
            EnvironmentCredentialSettings.forget()
            OutsideSignInSettings.forget()
            if printDropIn {
                print(
                    try await SSHPreparation.settings(
                        settings, folder: settings.stateDirectory,
                        socket: geteuid() == 0
                            ? RuntimeFolder.helperSocket(stateDirectory: settings.stateDirectory) : nil, logger: logger
                    ).dropIn, terminator: "")
                return
            }
            if isSecondStage { ProgramRestart.takeName("tidegate") }
            try ProcessHardening.apply()
            ProcessMemory.returnLargeBlocks()
            raiseDescriptorLimit()
            let inherited = try LauncherInheritance(environment: environment, stateDirectory: settings.stateDirectory)
            var warning: String?
            if inherited == nil {
                switch try await RunAs.decide(settings) {
                case .account(let account):
                    try await RootStage(
                        settings: settings, values: values, environment: environment, account: account, logger: logger
                    ).becomeGateway()
                case .stay(let words): warning = words
                }
            }
            try await GatewayRun(
                settings: settings, isService: isService, inherited: inherited, warning: warning, logger: logger
            ).run()
        } catch let fault as StartFault {
            logger.critical("the gateway did not start", metadata: ["gate.reason": "\(fault.description)"])
            throw ExitCode(1)
        }
    }

    /// Two thousand half-open connections must not keep the next one out.
    private func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = min(limit.rlim_max, 1 << 20)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

/// Why the gateway can't start, in words that name the setting.
struct StartFault: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
