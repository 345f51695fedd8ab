import ArgumentParser
import GateClient
import GateModel
import GateWire

struct GrantCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grant",
        abstract: "Let users or roles reach machines; list and withdraw grants.",
        subcommands: [GrantAdd.self, GrantList.self, GrantWithdraw.self])
}

struct GrantAdd: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Let a user, or everybody with a role, reach machines.",
        discussion: """
            Administrators reach every machine of their tenant without one.

            EXAMPLES
              tidegate grant add --user ada --machine build-7
              tidegate grant add --user ada --tag role=build --mode ssh --ttl 8h
              tidegate grant add --role operator --site Bremen --login deploy
            """)

    @Option(help: ArgumentHelp("To this user.", valueName: "name"))
    var user: String?

    @Option(help: "To everybody with this role.")
    var role: RoleArgument?

    @Option(help: "On the machine of this name or agent id.")
    var machine: String?

    @Option(help: "On machines with this tag.")
    var tag: String?

    @Option(help: "On machines of this organization.")
    var organization: String?

    @Option(help: "On machines at this site.")
    var site: String?

    @Flag(help: "On every machine of the tenant.")
    var all = false

    @Option(
        name: .customLong("mode"),
        help: "ssh, terminal or view; may be given several times. Without it, ssh and view.")
    var modes: [ModeArgument] = []

    @Option(name: .customLong("login"), help: "Only as this user on the machine; may be given several times.")
    var logins: [String] = []

    @Option(help: "How long it holds, such as 8h or 30d; without it, until it is withdrawn.")
    var ttl: TimeSpan?

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        guard (user != nil) != (role != nil) else { throw ValidationError("give --user or --role, one of them") }
        let targets = [machine, tag, organization, site].filter { $0 != nil }.count + (all ? 1 : 0)
        guard targets == 1 else {
            throw ValidationError("give one of --machine, --tag, --organization, --site and --all")
        }
        if let user { try Checked.name(UserName.self, user, "a user's name") }
        if let machine { try Checked.machine(machine) }
        if let tag { try Checked.tags([tag]) }
        try Checked.label(organization, "an organization")
        try Checked.label(site, "a site")
        for login in logins { try Checked.name(LoginName.self, login, "a login") }
    }

    func perform() async throws {
        let grant = try await gateway.client().addGrant(
            AddGrantRequest(
                user: user, role: role?.role.rawValue, all: all ? true : nil, machine: machine, tag: tag,
                organization: organization, site: site, modes: modes.isEmpty ? nil : modes.map(\.mode.rawValue),
                logins: logins.isEmpty ? nil : logins, ttl: ttl?.seconds))
        try gateway.show(grant) {
            Terminal.print("Granted \(TerminalText.neutralised(grant.summary)); withdraw it with:")
            Terminal.print("  tidegate grant withdraw \(grant.id)")
        }
    }
}

struct GrantList: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List grants, newest first.",
        discussion: """
            EXAMPLES
              tidegate grant list
              tidegate grant list --user ada --ended
            """)

    @Option(help: ArgumentHelp("Only those that name this user.", valueName: "name"))
    var user: String?

    @Option(help: "Only those that name this role.")
    var role: RoleArgument?

    @Flag(help: "Also those withdrawn or expired.")
    var ended = false

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { if let user { try Checked.name(UserName.self, user, "a user's name") } }

    func perform() async throws {
        var filter: [(String, String)] = []
        if let user { filter.append(("user", user)) }
        if let role { filter.append(("role", role.role.rawValue)) }
        if ended { filter.append(("ended", "true")) }
        let grants = try await gateway.client().grants(filter)
        try gateway.show(grants) {
            var table = Table(["ID", "TO", "ON", "MODES", "LOGINS", "CREATED", "EXPIRES", "ENDED"])
            for grant in grants {
                table.add([
                    grant.id, grant.recipient, grant.target, grant.modes.joined(separator: " "),
                    grant.logins.isEmpty ? "any" : grant.logins.joined(separator: " "), grant.createdAt.shown,
                    grant.expiresAt.shown, grant.endedAt.shown,
                ])
            }
            Terminal.print(table)
        }
    }
}

struct GrantWithdraw: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "withdraw",
        abstract: "Withdraw grants; connections that only they allowed end.",
        discussion: """
            EXAMPLES
              tidegate grant withdraw 3f0c4a52-8c1e-4f5e-9d0a-2f6f3f1f9b11
            """)

    @Argument(help: "The grants' ids, as `tidegate grant list` shows them.")
    var ids: [String]

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { for id in ids { try Checked.id(id) } }

    func perform() async throws {
        let client = try gateway.client()
        for id in ids { try await client.withdrawGrant(id) }
        try gateway.show(["withdrawn": ids]) { for id in ids { Terminal.print("Withdrew \(id).") } }
    }
}

/// What a grant allows, on the command line.
struct ModeArgument: ExpressibleByArgument {
    let mode: Grant.Mode

    init?(argument: String) {
        guard let mode = Grant.Mode(rawValue: argument) else { return nil }
        self.mode = mode
    }

    static var allValueStrings: [String] { Grant.Mode.allCases.map(\.rawValue) }
}

extension GrantBody {
    var recipient: String { user ?? role.map { "role \($0)" } ?? "a user who is gone" }

    var target: String {
        if all == true { return "all machines" }
        if let tag { return "tag \(tag)" }
        if let organization { return "organization \(organization)" }
        if let site { return "site \(site)" }
        return machineName ?? "a machine that is gone"
    }

    var summary: String {
        "\(modes.joined(separator: ", ")) on \(target) to \(recipient)"
            + (expiresAt.map { " until \($0.shown)" } ?? "")
    }
}
