import ArgumentParser
import GateClient
import GateWire

struct MachineRemove: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove a machine: its keys are revoked and its connections end.",
        discussion: """
            Asks first on a terminal, unless --yes is given.

            EXAMPLES
              tidegate machine remove build-7
              tidegate machine remove build-7 --yes
            """)

    @Argument(help: "The machine's name or agent id.")
    var machine: String

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.machine(machine) }

    func perform() async throws {
        let client = try gateway.client()
        let found = try await client.machine(called: machine)
        let name = TerminalText.neutralised(found.name)
        guard yes || !Terminal.isInputTerminal || Terminal.confirms("Remove \(name), its keys and its connections?")
        else { throw CommandFailure(.refused, "\(name) was not removed") }
        try await client.removeMachine(found.agentID)
        try gateway.show(found) { Terminal.print("Removed \(name).") }
    }
}
