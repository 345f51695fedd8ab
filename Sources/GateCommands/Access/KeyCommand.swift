import ArgumentParser
import GateClient
import GateWire

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Register your own SSH public key for the jump to machines; list and revoke keys.",
        subcommands: [KeyAdd.self, KeyList.self, KeyShow.self, KeyRevoke.self])
}

struct KeyList: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List registered keys, newest first.",
        discussion: """
            EXAMPLES
              tidegate key list
            """)

    @OptionGroup var gateway: GatewayOptions

    func perform() async throws {
        let keys = try await gateway.client().tunnelKeys()
        try gateway.show(keys) {
            var table = Table(["ID", "PURPOSE", "LABEL", "MACHINES", "LOGIN UNTIL", "CONNECTED UNTIL", "REVOKED"])
            for key in keys {
                table.add([
                    key.id, key.purpose, key.label, key.machines.map(\.name).joined(separator: " "),
                    key.loginUntil.shown, key.connectionUntil.shown, key.revokedAt.shown,
                ])
            }
            Terminal.print(table)
        }
    }
}

struct KeyShow: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one registered key.",
        discussion: """
            EXAMPLES
              tidegate key show 3f0c4a52-8c1e-4f5e-9d0a-2f6f3f1f9b11
            """)

    @Argument(help: "The key's id, as `tidegate key list` shows it.")
    var id: String

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.id(id) }

    func perform() async throws {
        let key = try await gateway.client().tunnelKey(id)
        try gateway.show(key) {
            var sheet = FactSheet()
            sheet.add("id", key.id)
            sheet.add("purpose", key.purpose)
            sheet.add("label", key.label)
            sheet.add("fingerprint", key.fingerprint)
            sheet.add("public key", key.publicKey)
            sheet.add(
                "machines", key.machines.map { $0.name + ($0.lease.map { " (port \($0.port))" } ?? " (no port)") })
            sheet.add("added", key.createdAt.shown)
            sheet.add("login until", key.loginUntil.shown)
            sheet.add("connected until", key.connectionUntil.shown)
            sheet.add("revoked", key.revokedAt.shown)
            Terminal.print(sheet.text, end: "")
        }
    }
}

struct KeyRevoke: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Revoke keys; their connections end at once.",
        discussion: """
            EXAMPLES
              tidegate key revoke 3f0c4a52-8c1e-4f5e-9d0a-2f6f3f1f9b11
            """)

    @Argument(help: "The keys' ids, as `tidegate key list` shows them.")
    var ids: [String]

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { for id in ids { try Checked.id(id) } }

    func perform() async throws {
        let client = try gateway.client()
        for id in ids { try await client.revokeTunnelKey(id) }
        try gateway.show(["revoked": ids]) { for id in ids { Terminal.print("Revoked \(id).") } }
    }
}
