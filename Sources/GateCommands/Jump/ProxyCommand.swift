import ArgumentParser
import GateClient
import GateWire

struct ProxyCommand: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "connect",
        abstract: "Connect the standard streams to a machine's sshd: the ProxyCommand of `tidegate ssh-config`.",
        discussion: """
            Refreshes the machine's pinned host keys first, so that ssh never has to ask.

            EXAMPLES
              ssh -o ProxyCommand='tidegate proxy -- build-7' ...
            """)

    @OptionGroup var gateway: GatewayOptions

    @Argument(help: "The machine's name or agent id.")
    var machine: String

    func validate() throws { try Checked.machine(machine) }

    func perform() async throws {
        let home = try gateway.home()
        let code = try await JumpSession.run(
            "ssh", to: machine, client: try gateway.client(), label: "tidegate proxy"
        ) { jump, _ in
            try home.make()
            try await HostKeyName.merge(
                HostKeyName.lines(for: jump.arguments.machineAlias, keys: jump.machine.hostKeys), into: home.knownHosts)
            return try jump.arguments.gatewayHop
        }
        throw ExitCode(code)
    }
}
