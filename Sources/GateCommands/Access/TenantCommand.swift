import ArgumentParser
import GateClient
import GateModel
import GateWire

struct TenantCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tenant",
        abstract: "Add and list tenants, who share the gateway without seeing each other.",
        discussion: "Only on the gateway's own host, with --state-dir.",
        subcommands: [TenantAdd.self, TenantList.self])
}

struct TenantAdd: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add a tenant with its first administrator, whose token is shown this once.",
        discussion: """
            EXAMPLES
              tidegate tenant add north --administrator ada --state-dir /var/lib/tidegate --output ./token
            """)

    @Argument(help: "The tenant's name.")
    var name: String

    @Option(help: ArgumentHelp("Its first administrator.", valueName: "name"))
    var administrator: String

    @Option(help: ArgumentHelp("Write the token to this file (0600) instead of printing it.", valueName: "file"))
    var output: String?

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        try Checked.name(UserName.self, name, "a tenant's name")
        try Checked.name(UserName.self, administrator, "a user's name")
    }

    func perform() async throws {
        var added = try await gateway.client().addTenant(
            AddTenantRequest(name: name, administrator: administrator))
        added.token = try OneTimeSecret.moved(from: added.token, \.token, to: output)
        try gateway.show(added) {
            Terminal.note(
                "added tenant \(TerminalText.neutralised(added.tenant.name)) with administrator "
                    + TerminalText.neutralised(added.administrator.name)
                    + (added.token.expiresAt.map { ", whose token is good until \($0.shown)" } ?? ""))
            OneTimeSecret.show(added.token.token, writtenTo: output)
        }
    }
}

struct TenantList: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List tenants, oldest first.",
        discussion: """
            EXAMPLES
              tidegate tenant list --state-dir /var/lib/tidegate
            """)

    @OptionGroup var gateway: GatewayOptions

    func perform() async throws {
        let tenants = try await gateway.client().tenants()
        try gateway.show(tenants) {
            var table = Table(["NAME", "ID", "CREATED"])
            for tenant in tenants { table.add([tenant.name, tenant.id, tenant.createdAt.shown]) }
            Terminal.print(table)
        }
    }
}
