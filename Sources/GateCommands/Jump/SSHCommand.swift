import ArgumentParser
import GateClient
import GateModel

package struct SSHCommand: GatewayCommand {
    package static let configuration = CommandConfiguration(
        commandName: "ssh",
        abstract: "Log in to a machine, or run a command there, with stock ssh.",
        usage: "tidegate ssh [--url <url>] [ssh options] [LOGIN@]NAME [command ...]",
        discussion: """
            Makes a key for this session alone, lets it jump to that machine's port and nothing else, pins the host \
            keys of gateway and machine, runs ssh, and revokes the key when ssh ends. Your own ssh configuration and \
            keys apply to the login on the machine, which ssh sees as NAME.tidegate. The exit code is ssh's; 69 when \
            the machine is not connected.

            Options of tidegate come first; from the first ssh option or the machine on, everything is handed to ssh. \
            That makes it a remote shell for rsync, Ansible and git too.

            EXAMPLES
              tidegate ssh admin@build-7
              tidegate ssh build-7 -- uptime
              tidegate ssh -L 8080:127.0.0.1:80 build-7
              rsync -e "tidegate ssh" -a ./site/ admin@build-7:/srv/site/
            """)

    @OptionGroup var gateway: GatewayOptions

    @Argument(parsing: .captureForPassthrough, help: "ssh options, the machine, and a command.")
    package var arguments: [String] = []

    package init() {}

    func perform() async throws {
        // What captures everything captures this too; neither is an option of the stock program.
        if let first = arguments.first, ["-h", "--help"].contains(first) { throw CleanExit.helpRequest(self) }
        let operands = try SSHOperands(arguments)
        let code = try await JumpSession.run(
            "ssh", to: operands.destination.machine.rawValue, client: try gateway.client(), label: "tidegate ssh"
        ) { jump, ssh in
            try operands.arguments(jump.arguments, program: ssh)
        }
        throw ExitCode(code)
    }
}
