import ArgumentParser
import GateClient
import GateModel
import GateWire

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Add, list, renew and revoke tokens: your own, or those of service users.",
        subcommands: [TokenAdd.self, TokenList.self, TokenRenew.self, TokenRevoke.self, TokenForgetNodes.self])
}

struct TokenAdd: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Make a further token; it is shown this once.",
        discussion: """
            EXAMPLES
              tidegate token add --label laptop --output ./token
              tidegate token add --label ci --ttl 7d --scope machines:read --allow-from 192.0.2.0/24
              tidegate token add --label runner --user ci-runner --output ./ci-token
            """)

    @Option(help: "What it is for.")
    var label: String

    @Option(help: "How long it stays good, such as 12h or 90d.")
    var ttl: TimeSpan?

    @Option(help: ArgumentHelp("The service user it acts for; without it, you.", valueName: "name"))
    var user: String?

    @Option(
        name: .customLong("scope"),
        help: ArgumentHelp(
            "What it may be used for, such as machines:read; may be given several times. Without it, all you may.",
            valueName: "scope"))
    var scopes: [String] = []

    @Option(help: ArgumentHelp("An address or block it may come from; may be given several times.", valueName: "cidr"))
    var allowFrom: [String] = []

    @Option(help: ArgumentHelp("Write the token to this file (0600) instead of printing it.", valueName: "file"))
    var output: String?

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        try Checked.label(label, "a label")
        if let user { try Checked.name(UserName.self, user, "a user's name") }
        try Checked.scopes(scopes)
    }

    func perform() async throws {
        let request = AddTokenRequest(
            label: label, ttl: ttl?.seconds, user: user, scopes: scopes.isEmpty ? nil : scopes,
            allowFrom: allowFrom.isEmpty ? nil : allowFrom)
        let token = try OneTimeSecret.moved(
            from: try await gateway.client().addToken(request), \.token, to: output)
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
        abstract: "List your tokens, or a user's, without their text.",
        discussion: """
            EXAMPLES
              tidegate token list
              tidegate token list --user ci-runner
            """)

    @Option(help: ArgumentHelp("Whose tokens; without it, yours.", valueName: "name"))
    var user: String?

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { if let user { try Checked.name(UserName.self, user, "a user's name") } }

    func perform() async throws {
        let tokens = try await gateway.client().tokens(of: user)
        try gateway.show(tokens) {
            var table = Table(["ID", "LABEL", "SCOPES", "FROM", "CREATED", "EXPIRES", "LAST USED", "REVOKED"])
            for token in tokens {
                table.add([
                    token.id, token.label, token.scopes?.joined(separator: " ") ?? "all of the role",
                    token.allowFrom.joined(separator: " "), token.createdAt.shown, token.expiresAt.shown,
                    token.lastUsedAt.shown, token.revokedAt.shown,
                ])
            }
            Terminal.print(table)
        }
    }
}

struct TokenRenew: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "renew",
        abstract: "Renew the token in use, in the last seven days of its life.",
        discussion: """
            It is then good for as long again as it was made for, at most 90 days, and never past a year after it was made.
            Earlier than seven days before its end nothing changes, so this may run every day.

            EXAMPLES
              tidegate token renew
            """)

    @OptionGroup var gateway: GatewayOptions

    func perform() async throws {
        let renewal = try await gateway.client().renewToken()
        try gateway.show(renewal) {
            let end = renewal.expiresAt.map { "until \($0.shown)" } ?? "without an end"
            Terminal.print(renewal.renewed ? "Renewed: good \(end)." : "Not renewed yet: good \(end).")
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

    @Option(help: ArgumentHelp("Whose tokens; without it, yours.", valueName: "name"))
    var user: String?

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        for id in ids { try Checked.id(id) }
        if let user { try Checked.name(UserName.self, user, "a user's name") }
    }

    func perform() async throws {
        let client = try gateway.client()
        for id in ids { try await client.revokeToken(id, of: user) }
        try gateway.show(["revoked": ids]) { for id in ids { Terminal.print("Revoked \(id).") } }
    }
}

struct TokenForgetNodes: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget-nodes",
        abstract: "Make the gateway ask the Fleet again about every node token.",
        discussion: """
            For up to a minute the gateway takes a node token (mcn_…) on what the Fleet said of it before. After this one \
            that was revoked there is refused here at once.

            EXAMPLES
              tidegate token forget-nodes
            """)

    @OptionGroup var gateway: GatewayOptions

    func perform() async throws {
        try await gateway.client().forgetNodeTokens()
        try gateway.show(["forgotten": true]) { Terminal.print("The Fleet is asked again about every node token.") }
    }
}
