import ArgumentParser
import GateClient
import GateWire

struct AuthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "auth",
        abstract: "How you are signed in, your sessions, your password and your second factor.",
        subcommands: [AuthStatus.self, SessionCommand.self, TOTPCommand.self, OwnPassword.self])
}

struct AuthStatus: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show as whom you are signed in, until when, and with what.",
        discussion: """
            EXAMPLES
              tidegate auth status
              tidegate auth status --json
            """)

    @OptionGroup var gateway: GatewayOptions

    func perform() async throws {
        let client = try gateway.client()
        let status = try await client.authStatus()
        try gateway.show(status) {
            var sheet = FactSheet()
            sheet.add("gateway", client.endpoint.description)
            sheet.add("user", "\(status.user.name) (\(status.user.role))")
            sheet.add("signed in with", "\(status.credential.kind) \(status.credential.id)")
            sheet.add("until", status.credential.expiresAt?.shown ?? "revoked")
            sheet.add("password", status.hasPassword ? "set" : "none")
            sheet.add(
                "second factor", status.secondFactor ? "on, \(status.recoveryCodesLeft) recovery codes left" : "off")
            sheet.add("browser sessions", String(status.sessions))
            Terminal.print(sheet.text, end: "")
        }
    }
}

struct SessionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "session", abstract: "List and end your browsers' sessions.",
        subcommands: [SessionList.self, SessionEnd.self])
}

struct SessionList: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List your browsers' sessions, newest first.",
        discussion: """
            EXAMPLES
              tidegate auth session list
            """)

    @OptionGroup var gateway: GatewayOptions

    func perform() async throws {
        let sessions = try await gateway.client().sessions()
        try gateway.show(sessions) {
            var table = Table(["ID", "FROM", "BROWSER", "METHOD", "SINCE", "LAST USED", "UNTIL"])
            for session in sessions {
                table.add([
                    session.id, session.source, session.client, session.method, session.createdAt.shown,
                    session.lastUsedAt.shown, session.expiresAt.shown,
                ])
            }
            Terminal.print(table)
        }
    }
}

struct SessionEnd: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "end",
        abstract: "End sessions; what they hold open is closed.",
        discussion: """
            EXAMPLES
              tidegate auth session end 3f0c4a52-8c1e-4f5e-9d0a-2f6f3f1f9b11
            """)

    @Argument(help: "The sessions' ids, as `tidegate auth session list` shows them.")
    var ids: [String]

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { for id in ids { try Checked.id(id) } }

    func perform() async throws {
        let client = try gateway.client()
        for id in ids { try await client.endSession(id) }
        try gateway.show(["ended": ids]) { for id in ids { Terminal.print("Ended \(id).") } }
    }
}
