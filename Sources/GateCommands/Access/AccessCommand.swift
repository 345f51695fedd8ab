import ArgumentParser
import GateClient
import GateModel
import GateWire

struct AccessCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "access",
        abstract: "Ask who may reach what, and why.",
        subcommands: [AccessCheck.self])
}

struct AccessCheck: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say whether a user may reach a machine, and why; exit code 1 when not.",
        discussion: """
            EXAMPLES
              tidegate access check ada build-7
              tidegate access check ada build-7 --login root
              tidegate access check ada build-7 --mode terminal --json
            """)

    @Argument(help: "The user's name.")
    var user: String

    @Argument(help: "The machine's name or agent id.")
    var machine: String

    @Option(help: "ssh, terminal or view.")
    var mode: ModeArgument?

    @Option(help: "As this user on the machine.")
    var login: String?

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        try Checked.name(UserName.self, user, "a user's name")
        try Checked.machine(machine)
        if let login { try Checked.name(LoginName.self, login, "a login") }
    }

    func perform() async throws {
        var query = [("user", user), ("machine", machine)]
        if let mode { query.append(("mode", mode.mode.rawValue)) }
        if let login { query.append(("login", login)) }
        let check = try await gateway.client().checkAccess(query)
        try gateway.show(check) {
            Terminal.print("\(check.allowed ? "yes" : "no"): \(TerminalText.neutralised(check.explanation))")
            for grant in check.grants { Terminal.print("  \(grant.id)  \(TerminalText.neutralised(grant.summary))") }
        }
        if !check.allowed { throw ExitCode(CommandFailure.Code.refused.rawValue) }
    }
}
