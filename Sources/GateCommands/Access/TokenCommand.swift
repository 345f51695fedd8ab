import ArgumentParser
import GateClient
import GateModel
import GateWire

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Add, list and revoke your personal tokens.",
        subcommands: [TokenAdd.self, TokenList.self, TokenRevoke.self])
}

struct TokenAdd: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Make a further token; it is shown this once.",
        discussion: """
            EXAMPLES
              tidegate token add --label laptop --output ./token
              tidegate token add --label ci --ttl 7d
            """)

    @Option(help: "What it is for.")
    var label: String

    @Option(help: "How long it stays good, such as 12h or 90d.")
    var ttl: TimeSpan?

    @Option(help: ArgumentHelp("Write the token to this file (0600) instead of printing it.", valueName: "file"))
    var output: String?

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.label(label, "a label") }

    func perform() async throws {
        let token = try OneTimeSecret.moved(
            from: try await gateway.client().addToken(AddTokenRequest(label: label, ttl: ttl?.seconds)), \.token,
            to: output)
        try gateway.show(token) {
            Terminal.note(
                "added token \(TerminalText.neutralised(token.id))"
                    + (token.expiresAt.map { ", good until \($0.shown)" } ?? ""))
            OneTimeSecret.show(token.token, writtenTo: output)
        }
    }
}

struct TokenList: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List your tokens, without their text.",
        discussion: """
            EXAMPLES
              tidegate token list
            """)

    @OptionGroup var gateway: GatewayOptions

    func perform() async throws {
        let tokens = try await gateway.client().tokens()
        try gateway.show(tokens) {
            var table = Table(["ID", "LABEL", "CREATED", "EXPIRES", "LAST USED", "REVOKED"])
            for token in tokens {
                table.add([
                    token.id, token.label, token.createdAt.shown, token.expiresAt.shown, token.lastUsedAt.shown,
                    token.revokedAt.shown,
                ])
            }
            Terminal.print(table)
        }
    }
}

struct TokenRevoke: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Revoke tokens.",
        discussion: """
            EXAMPLES
              tidegate token revoke 3f0c4a52-8c1e-4f5e-9d0a-2f6f3f1f9b11
            """)

    @Argument(help: "The tokens' ids, as `tidegate token list` shows them.")
    var ids: [String]

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { for id in ids { try Checked.id(id) } }

    func perform() async throws {
        let client = try gateway.client()
        for id in ids { try await client.revokeToken(id) }
        try gateway.show(["revoked": ids]) { for id in ids { Terminal.print("Revoked \(id).") } }
    }
}
