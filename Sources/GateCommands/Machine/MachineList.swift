import ArgumentParser
import GateClient
import GateWire

struct MachineList: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List machines.",
        discussion: """
            EXAMPLES
              tidegate machine list
              tidegate machine list --organization Acme --tag role=press --tag hall=2
              tidegate machine list --json | jq -r '.[] | select(.connected | not) | .name'
            """)

    @Option(help: "Only the machine of this name.")
    var name: String?

    @Option(help: "Only machines of this organization.")
    var organization: String?

    @Option(help: "Only machines of this site.")
    var site: String?

    @Option(name: .customLong("tag"), help: "Only machines with this tag; given several times, with all of them.")
    var tags: [String] = []

    @OptionGroup var gateway: GatewayOptions

    func perform() async throws {
        let machines = try await gateway.client().machines(
            MachineFilter(name: name, organization: organization, site: site, tags: tags))
        // The API filters by one tag; all of them are asked for here.
        let carrying = machines.filter { Set(tags).isSubset(of: $0.tags) }
        try gateway.show(carrying) { Terminal.print(Self.table(carrying)) }
    }

    static func table(_ machines: [MachineBody]) -> Table {
        var table = Table(["NAME", "AGENT ID", "ORGANIZATION", "SITE", "TAGS", "CONNECTED", "PORT", "LAST SEEN"])
        for machine in machines {
            table.add([
                machine.name, machine.agentID, machine.organization, machine.site,
                machine.tags.joined(separator: " "), machine.connected ? "yes" : "no",
                machine.lease.map { String($0.port) } ?? "", machine.lastSeenAt.shown,
            ])
        }
        return table
    }
}

struct MachineShow: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show all that is known of a machine.",
        discussion: """
            EXAMPLES
              tidegate machine show build-7
            """)

    @Argument(help: "The machine's name or agent id.")
    var machine: String

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.machine(machine) }

    func perform() async throws {
        let found = try await gateway.client().machine(called: machine)
        try gateway.show(found) { Terminal.print(found.sheet.text, end: "") }
    }
}
