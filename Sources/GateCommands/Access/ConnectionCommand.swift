import ArgumentParser
import GateClient
import GateWire

struct ConnectionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connection",
        abstract: "See who is connected through the gateway now.",
        subcommands: [ConnectionList.self])
}

struct ConnectionList: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List live connections to the gateway's sshd.",
        discussion: """
            A connection ends when its key is revoked: `tidegate key revoke KEY`.

            EXAMPLES
              tidegate connection list
            """)

    @OptionGroup var gateway: GatewayOptions

    func perform() async throws {
        let connections = try await gateway.client().connections()
        try gateway.show(connections) {
            var table = Table(["ID", "PURPOSE", "KEY", "SOURCE", "PID", "SINCE"])
            for entry in connections {
                table.add([
                    entry.id, entry.purpose, entry.keyID, entry.source, String(entry.pid), entry.startedAt.shown,
                ])
            }
            Terminal.print(table)
        }
    }
}
