import ArgumentParser
import GateClient
import GateModel
import GateWire

struct MachineSet: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Change a machine's name, organization, site or tags.",
        discussion: """
            What is not named stays as it is; an empty text empties an organization or a site.

            EXAMPLES
              tidegate machine set build-7 --site Bremen --tag role=build --untag role=test
              tidegate machine set build-7 --organization ''
            """)

    @Argument(help: "The machine's name or agent id.")
    var machine: String

    @Option(help: "A new name.")
    var name: String?

    @Option(help: "Whose machine it is.")
    var organization: String?

    @Option(help: "Where it stands.")
    var site: String?

    @Option(name: .customLong("tag"), help: "A tag to add; may be given several times.")
    var tags: [String] = []

    @Option(name: .customLong("untag"), help: "A tag to take off; may be given several times.")
    var untags: [String] = []

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        try Checked.machine(machine)
        if let name { try Checked.name(MachineName.self, name, "a machine's name") }
        try Checked.label(organization, "an organization")
        try Checked.label(site, "a site")
        try Checked.tags(tags + untags)
        guard name != nil || organization != nil || site != nil || !tags.isEmpty || !untags.isEmpty else {
            throw ValidationError("nothing to change: give --name, --organization, --site, --tag or --untag")
        }
        if let both = Set(tags).intersection(untags).min() {
            throw ValidationError("--tag and --untag both name \(both)")
        }
    }

    func perform() async throws {
        let client = try gateway.client()
        let found = try await client.machine(called: machine)
        let changed = try await client.patchMachine(
            found.agentID,
            PatchMachineRequest(
                name: name, organization: Self.member(organization), site: Self.member(site),
                tags: Self.tags(found.tags, adding: tags, removing: untags)))
        try gateway.show(changed) { Terminal.print(changed.sheet.text, end: "") }
    }

    /// A member of a merge patch (RFC 7396): absent when not given, null when given empty.
    static func member(_ text: String?) -> String?? {
        text.map { $0.isEmpty ? nil : $0 }
    }

    /// The tags as they shall be, nil when they stay.
    static func tags(_ tags: [String], adding: [String], removing: [String]) -> [String]? {
        guard !adding.isEmpty || !removing.isEmpty else { return nil }
        return Set(tags).subtracting(removing).union(adding).sorted()
    }
}
