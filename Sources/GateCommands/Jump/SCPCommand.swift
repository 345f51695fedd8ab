import ArgumentParser
import GateClient
import GateModel

struct SCPCommand: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "scp",
        abstract: "Copy files to or from a machine with stock scp.",
        usage: "tidegate scp [--url <url>] [scp options] SOURCE ... TARGET",
        discussion: """
            Operands on the machine are [LOGIN@]NAME:PATH. Key, host keys and exit code are as with `tidegate ssh`.

            EXAMPLES
              tidegate scp ./release.tar admin@build-7:/tmp/
              tidegate scp -r build-7:/var/log/app ./logs
            """)

    @OptionGroup var gateway: GatewayOptions

    @Argument(parsing: .captureForPassthrough, help: "scp options, sources and a target.")
    var arguments: [String] = []

    func perform() async throws {
        // What captures everything captures this too; neither is an option of the stock program.
        if let first = arguments.first, ["-h", "--help"].contains(first) { throw CleanExit.helpRequest(self) }
        let operands = try SCPOperands(arguments)
        let code = try await JumpSession.run(
            "scp", to: operands.machine.rawValue, client: try gateway.client(), label: "tidegate scp"
        ) { jump, ssh in
            try operands.arguments(jump.arguments, program: ssh)
        }
        throw ExitCode(code)
    }
}
