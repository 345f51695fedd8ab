import ArgumentParser
import GateClient
import GateWire

struct MachineEnrol: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "enrol",
        abstract: "Make a further enrolment token for a machine.",
        discussion: """
            For a machine that was set up anew, or whose first token has expired.

            EXAMPLES
              tidegate machine enrol build-7
              tidegate machine enrol build-7 --ttl 1h
            """)

    @Argument(help: "The machine's name or agent id.")
    var machine: String

    @Option(help: "How long the token stays good, such as 2h or 7d.")
    var ttl: TimeSpan?

    @Option(help: ArgumentHelp("An address or block it may come from; may be given several times.", valueName: "cidr"))
    var allowFrom: [String] = []

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.machine(machine) }

    func perform() async throws {
        let client = try gateway.client()
        let found = try await client.machine(called: machine)
        let enrolment = try await client.addEnrolment(
            for: found.agentID,
            AddEnrolmentRequest(ttl: ttl?.seconds, allowFrom: allowFrom.isEmpty ? nil : allowFrom))
        try gateway.show(enrolment) {
            Terminal.note("run this on \(TerminalText.neutralised(found.name)):")
            Terminal.print(enrolment.commandLine(endpoint: client.endpoint))
            Terminal.note("good for one use until \(enrolment.expiresAt.shown)")
        }
    }
}

struct MachineEnrolments: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "enrolments",
        abstract: "List a machine's enrolment tokens, without their text.",
        discussion: """
            EXAMPLES
              tidegate machine enrolments build-7
            """)

    @Argument(help: "The machine's name or agent id.")
    var machine: String

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.machine(machine) }

    func perform() async throws {
        let client = try gateway.client()
        let found = try await client.machine(called: machine)
        let enrolments = try await client.enrolments(of: found.agentID)
        try gateway.show(enrolments) {
            var table = Table(["ID", "CREATED", "EXPIRES", "USED", "REVOKED"])
            for entry in enrolments {
                table.add([
                    entry.id, entry.createdAt.shown, entry.expiresAt.shown, entry.consumedAt.shown,
                    entry.revokedAt.shown,
                ])
            }
            Terminal.print(table)
        }
    }
}

struct MachineRevokeEnrolment: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke-enrolment",
        abstract: "Revoke an enrolment token that was not used yet.",
        discussion: """
            EXAMPLES
              tidegate machine revoke-enrolment build-7 3f0c4a52-8c1e-4f5e-9d0a-2f6f3f1f9b11
            """)

    @Argument(help: "The machine's name or agent id.")
    var machine: String

    @Argument(help: "The token's id, as `tidegate machine enrolments` lists it.")
    var id: String

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        try Checked.machine(machine)
        try Checked.id(id)
    }

    func perform() async throws {
        let client = try gateway.client()
        let found = try await client.machine(called: machine)
        try await client.revokeEnrolment(id, of: found.agentID)
        try gateway.show(["revoked": [id]]) { Terminal.print("Revoked \(id).") }
    }
}
