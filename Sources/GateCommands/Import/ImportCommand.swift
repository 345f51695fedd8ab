import ArgumentParser
import GateClient
import GateWire

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Bring over what another gateway knows.",
        subcommands: [ImportSSHTunnelGateway.self])
}

struct ImportSSHTunnelGateway: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "ssh-tunnel-gateway",
        abstract: "Bring over the agents of an ssh-tunnel-server 0.4.",
        discussion: """
            Stop that server first, so that its state holds still. Every agent keeps its id, port, lease and key; agents \
            are not touched and come back by themselves once this gateway's sshd is where theirs was. Nothing is \
            imported unless everything can be, and the same file again changes nothing. Prints which of that server's \
            settings became which of ours.

            EXAMPLES
              tidegate import ssh-tunnel-gateway --state data/allocations.json --env server.env --dry-run
              tidegate import ssh-tunnel-gateway --state data/allocations.json --env server.env
            """)

    @Option(help: ArgumentHelp("The server's STATE_DIR/allocations.json.", valueName: "file"))
    var state: String

    @Option(help: ArgumentHelp("The server's environment, a NAME=VALUE a line.", valueName: "file"))
    var env: String?

    @Flag(help: "Check everything and change nothing.")
    var dryRun = false

    @OptionGroup var gateway: GatewayOptions

    private struct Report: Encodable {
        var result: ImportedAgentsBody
        var settings: [ForeignSettings.Note]
    }

    func perform() async throws {
        let settings = try ForeignSettings(text: try env.map { try BoundedFile.text($0) } ?? "", named: env ?? "")
        let agents = try AllocationsFile.agents(
            in: try BoundedFile.text(state, limit: AllocationsFile.limit), named: state, leaseDays: settings.leaseDays)
        let result = try await gateway.client().importAgents(ImportAgentsRequest(agents: agents, dryRun: dryRun))
        try gateway.show(Report(result: result, settings: settings.notes)) {
            var facts = FactSheet()
            facts.add(dryRun ? "would import" : "imported", "\(result.imported)")
            facts.add("here already", "\(result.unchanged)")
            facts.add("left behind", "\(result.expired) whose lease had ended")
            Terminal.print(facts.text)
            var table = Table(["SETTING", "VALUE", "BECOMES", "WHY"])
            for note in settings.notes { table.add([note.name, note.value, note.becomes ?? "(nothing)", note.why]) }
            Terminal.print(table)
            if result.rsaKeys > 0 {
                Terminal.note(
                    "\(result.rsaKeys) agents hold RSA keys: sshd takes rsa-sha2-256 and rsa-sha2-512 until each has "
                        + "registered again. With --ssh external, add both to PubkeyAcceptedAlgorithms yourself")
            }
        }
    }
}
