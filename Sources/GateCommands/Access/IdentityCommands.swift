import ArgumentParser
import GateClient
import GateModel
import GateWire

struct UserIdentities: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "identities",
        abstract: "List the outside identities a user may sign in with.",
        discussion: """
            EXAMPLES
              tidegate user identities ada
            """)

    @Argument(help: "The user's name.")
    var name: String

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.name(UserName.self, name, "a user's name") }

    func perform() async throws {
        let identities = try await gateway.client().identities(of: name)
        try gateway.show(identities) {
            var table = Table(["ID", "ISSUER", "SUBJECT", "ROLE BY", "SINCE", "LAST SIGN-IN"])
            for identity in identities {
                table.add([
                    identity.id, identity.issuer, identity.subject,
                    identity.givesRole ? "its groups" : "administrators", identity.createdAt.shown,
                    identity.lastSignInAt.shown,
                ])
            }
            Terminal.print(table)
        }
    }
}

struct UserLink: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "link",
        abstract: "Let somebody whom a provider vouches for sign in as an existing user.",
        discussion: """
            The role stays what an administrator says. The subject is the provider's own id of that person, never an e-mail \
            address or a name that they can change.

            EXAMPLES
              tidegate user link ada --issuer https://id.example.org/realms/main --subject 7d0f2c1e
            """)

    @Argument(help: "The user's name.")
    var name: String

    @Option(help: ArgumentHelp("The provider's issuer, to the letter.", valueName: "url"))
    var issuer: String

    @Option(help: ArgumentHelp("Its `sub` of that person.", valueName: "sub"))
    var subject: String

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        try Checked.name(UserName.self, name, "a user's name")
        try Checked.name(OutsideIssuer.self, issuer, "an issuer")
        try Checked.name(OutsideSubject.self, subject, "a subject")
    }

    func perform() async throws {
        let identity = try await gateway.client().linkIdentity(
            LinkIdentityRequest(issuer: issuer, subject: subject), to: name)
        try gateway.show(identity) {
            Terminal.print("Linked \(TerminalText.neutralised(name)) as \(TerminalText.neutralised(identity.id)).")
        }
    }
}

struct UserUnlink: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "unlink",
        abstract: "Take outside identities from a user; the sessions begun with them end.",
        discussion: """
            EXAMPLES
              tidegate user unlink ada 3f0c4a52-8c1e-4f5e-9d0a-2f6f3f1f9b11
            """)

    @Argument(help: "The user's name.")
    var name: String

    @Argument(help: "The identities' ids, as `tidegate user identities` shows them.")
    var ids: [String]

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        try Checked.name(UserName.self, name, "a user's name")
        for id in ids { try Checked.id(id) }
    }

    func perform() async throws {
        let client = try gateway.client()
        for id in ids { try await client.unlinkIdentity(id, from: name) }
        try gateway.show(["unlinked": ids]) { for id in ids { Terminal.print("Unlinked \(id).") } }
    }
}
