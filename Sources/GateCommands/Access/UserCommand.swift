import ArgumentParser
import GateClient
import GateModel
import GateWire

struct UserCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Add, list, change and disable users: people and programs.",
        subcommands: [
            UserAdd.self, UserList.self, UserShow.self, UserSet.self, UserDisable.self, UserEnable.self,
            UserPassword.self, UserResetTOTP.self, UserIdentities.self, UserLink.self, UserUnlink.self,
        ])
}

struct UserAdd: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add a person, or with --service a program.",
        discussion: """
            Roles: admin does everything; operator runs machines; viewer sees and reaches the machines that grants name. A
            program may also be tunnel-host (key lookups only) or drain (drain only).

            EXAMPLES
              tidegate user add ada --role viewer
              tidegate user add ci-runner --service --role operator --allow-from 192.0.2.0/24
            """)

    @Argument(help: "The user's name.")
    var name: String

    @Option(help: "admin, operator or viewer; for a program also tunnel-host or drain.")
    var role: RoleArgument

    @Flag(help: "A program, which acts by service tokens.")
    var service = false

    @Option(
        help: ArgumentHelp(
            "An address or block its credentials may come from; may be given several times.", valueName: "cidr"))
    var allowFrom: [String] = []

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.name(UserName.self, name, "a user's name") }

    func perform() async throws {
        let user = try await gateway.client().addUser(
            AddUserRequest(
                name: name, kind: service ? "service" : "person", role: role.role.rawValue,
                allowFrom: allowFrom.isEmpty ? nil : allowFrom))
        try gateway.show(user) { Terminal.print(user.sheet.text, end: "") }
    }
}

struct UserList: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List users by name.",
        discussion: """
            EXAMPLES
              tidegate user list
            """)

    @OptionGroup var gateway: GatewayOptions

    func perform() async throws {
        let users = try await gateway.client().users()
        try gateway.show(users) {
            var table = Table(["NAME", "KIND", "ROLE", "FROM", "CREATED", "DISABLED"])
            for user in users {
                table.add([
                    user.name, user.kind, user.role, user.allowFrom.joined(separator: " "), user.createdAt.shown,
                    user.disabledAt.shown,
                ])
            }
            Terminal.print(table)
        }
    }
}

struct UserShow: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one user.",
        discussion: """
            EXAMPLES
              tidegate user show ada
            """)

    @Argument(help: "The user's name.")
    var name: String

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.name(UserName.self, name, "a user's name") }

    func perform() async throws {
        let user = try await gateway.client().user(name)
        try gateway.show(user) { Terminal.print(user.sheet.text, end: "") }
    }
}

struct UserSet: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Change a user's role or addresses; what they may no longer reach is cut at once.",
        discussion: """
            EXAMPLES
              tidegate user set ada --role operator
              tidegate user set ci-runner --allow-from 192.0.2.0/24 --allow-from 2001:db8::/32
              tidegate user set ci-runner --allow-from-anywhere
            """)

    @Argument(help: "The user's name.")
    var name: String

    @Option(help: "admin, operator or viewer; for a program also tunnel-host or drain.")
    var role: RoleArgument?

    @Option(
        help: ArgumentHelp(
            "An address or block its credentials may come from, in place of those before; may be given several times.",
            valueName: "cidr"))
    var allowFrom: [String] = []

    @Flag(help: "Let its credentials come from any address.")
    var allowFromAnywhere = false

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        try Checked.name(UserName.self, name, "a user's name")
        guard role != nil || !allowFrom.isEmpty || allowFromAnywhere else {
            throw ValidationError("nothing to change: give --role, --allow-from or --allow-from-anywhere")
        }
        guard allowFrom.isEmpty || !allowFromAnywhere else {
            throw ValidationError("--allow-from and --allow-from-anywhere exclude each other")
        }
    }

    func perform() async throws {
        let blocks = allowFromAnywhere ? [] : allowFrom.isEmpty ? nil : allowFrom
        let user = try await gateway.client().patchUser(
            name, PatchUserRequest(role: role?.role.rawValue, allowFrom: blocks))
        try gateway.show(user) { Terminal.print(user.sheet.text, end: "") }
    }
}

struct UserDisable: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable",
        abstract: "Disable a user: their credentials are refused and their connections end.",
        discussion: """
            EXAMPLES
              tidegate user disable ada
            """)

    @Argument(help: "The user's name.")
    var name: String

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.name(UserName.self, name, "a user's name") }

    func perform() async throws {
        let user = try await gateway.client().patchUser(name, PatchUserRequest(disabled: true))
        try gateway.show(user) { Terminal.print("Disabled \(TerminalText.neutralised(user.name)).") }
    }
}

struct UserEnable: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable",
        abstract: "Enable a disabled user; what was not revoked meanwhile is good again.",
        discussion: """
            EXAMPLES
              tidegate user enable ada
            """)

    @Argument(help: "The user's name.")
    var name: String

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.name(UserName.self, name, "a user's name") }

    func perform() async throws {
        let user = try await gateway.client().patchUser(name, PatchUserRequest(disabled: false))
        try gateway.show(user) { Terminal.print("Enabled \(TerminalText.neutralised(user.name)).") }
    }
}

/// A role on the command line.
struct RoleArgument: ExpressibleByArgument {
    let role: Role

    init?(argument: String) {
        guard let role = Role(rawValue: argument) else { return nil }
        self.role = role
    }

    static var allValueStrings: [String] { Role.allCases.map(\.rawValue) }
}

extension UserBody {
    fileprivate var sheet: FactSheet {
        var sheet = FactSheet()
        sheet.add("name", name)
        sheet.add("kind", kind)
        sheet.add("role", role)
        sheet.add("from", allowFrom)
        sheet.add("id", id)
        sheet.add("created", createdAt.shown)
        sheet.add("disabled", disabledAt.shown)
        return sheet
    }
}
