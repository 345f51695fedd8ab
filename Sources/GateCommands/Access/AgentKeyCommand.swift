import ArgumentParser
import GateClient
import GateWire

struct AgentKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent-key",
        abstract: "List, add and revoke the keys by which machines are known.",
        subcommands: [AgentKeyList.self, AgentKeyAdd.self, AgentKeyRevoke.self])
}

struct AgentKeyList: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List a machine's agent keys, without their text.",
        discussion: """
            EXAMPLES
              tidegate agent-key list build-7
            """)

    @Argument(help: "The machine's name or agent id.")
    var machine: String

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.machine(machine) }

    func perform() async throws {
        let client = try gateway.client()
        let found = try await client.machine(called: machine)
        let keys = try await client.agentKeys(of: found.agentID)
        try gateway.show(keys) {
            var table = Table(["ID", "CREATED", "LAST USED", "REVOKED"])
            for key in keys {
                table.add([key.id, key.createdAt.shown, key.lastUsedAt.shown, key.revokedAt.shown])
            }
            Terminal.print(table)
        }
    }
}

struct AgentKeyAdd: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Make a further agent key for a machine; it is shown this once.",
        discussion: """
            For machines that are set up by other means than `tidegate-agent enrol`.

            EXAMPLES
              tidegate agent-key add build-7 --output ./agent-key
            """)

    @Argument(help: "The machine's name or agent id.")
    var machine: String

    @Option(help: "What it is for.")
    var label: String?

    @Option(help: "How long it stays good, such as 90d; without it, until it is revoked.")
    var ttl: TimeSpan?

    @Option(help: ArgumentHelp("An address or block it may come from; may be given several times.", valueName: "cidr"))
    var allowFrom: [String] = []

    @Option(help: ArgumentHelp("Write the key to this file (0600) instead of printing it.", valueName: "file"))
    var output: String?

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.machine(machine) }

    func perform() async throws {
        let client = try gateway.client()
        let found = try await client.machine(called: machine)
        let request = AddAgentKeyRequest(
            label: label, ttl: ttl?.seconds, allowFrom: allowFrom.isEmpty ? nil : allowFrom)
        let key = try OneTimeSecret.moved(
            from: try await client.addAgentKey(for: found.agentID, request), \.key, to: output)
        try gateway.show(key) {
            Terminal.note("added agent key \(TerminalText.neutralised(key.id))")
            OneTimeSecret.show(key.key, writtenTo: output)
        }
    }
}

struct AgentKeyRevoke: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Revoke an agent key; connections made with it end.",
        discussion: """
            EXAMPLES
              tidegate agent-key revoke build-7 3f0c4a52-8c1e-4f5e-9d0a-2f6f3f1f9b11
            """)

    @Argument(help: "The machine's name or agent id.")
    var machine: String

    @Argument(help: "The keys' ids, as `tidegate agent-key list` shows them.")
    var ids: [String]

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        try Checked.machine(machine)
        for id in ids { try Checked.id(id) }
    }

    func perform() async throws {
        let client = try gateway.client()
        let found = try await client.machine(called: machine)
        for id in ids { try await client.revokeAgentKey(id, of: found.agentID) }
        try gateway.show(["revoked": ids]) { for id in ids { Terminal.print("Revoked \(id).") } }
    }
}
