import ArgumentParser
import GateClient
import GateModel
import GateWire

struct MachineAdd: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add a machine and print the line that enrols it.",
        discussion: """
            The line holds a token that works once, on that machine; it is shown this once.

            EXAMPLES
              tidegate machine add build-7
              tidegate machine add press-3 --organization Acme --site Bremen --tag role=press --enrolment-ttl 2h
            """)

    @Argument(help: "The machine's name: lower-case letters, digits and '-'.")
    var name: String

    @Option(name: .customLong("agent-id"), help: "The stable text its agent goes by; made up when left out.")
    var agentID: String?

    @Option(help: "Whose machine it is.")
    var organization: String?

    @Option(help: "Where it stands.")
    var site: String?

    @Option(name: .customLong("tag"), help: "A tag; may be given several times.")
    var tags: [String] = []

    @Option(name: .customLong("enrolment-ttl"), help: "How long the enrolment token stays good, such as 2h or 7d.")
    var enrolmentTTL: TimeSpan?

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        try Checked.name(MachineName.self, name, "a machine's name")
        if let agentID { try Checked.name(AgentID.self, agentID, "an agent id") }
        try Checked.label(organization, "an organization")
        try Checked.label(site, "a site")
        try Checked.tags(tags)
    }

    func perform() async throws {
        let client = try gateway.client()
        let added = try await client.addMachine(
            AddMachineRequest(
                name: name, agentID: agentID, organization: organization, site: site, tags: tags.isEmpty ? nil : tags,
                enrolmentTTL: enrolmentTTL?.seconds))
        try gateway.show(added) {
            Terminal.note("added \(TerminalText.neutralised(added.machine.name)); run this on it:")
            Terminal.print(added.enrolment.commandLine(endpoint: client.endpoint))
            Terminal.note("good for one use until \(added.enrolment.expiresAt.shown)")
        }
    }
}
