import ArgumentParser
import FoundationEssentials
import GateClient
import GateModel
import GateWire
import Glibc

struct Login: GatewayCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sign in to a gateway, and store the token for it on this computer.",
        discussion: """
            Shows an address and a code: open the address on any computer, sign in there, and type the code. The gateway \
            then gives this computer a personal token for 30 days, stored with mode 0600. Commands use this gateway from \
            then on, unless --url or TIDEGATE_URL names another.

            The token is for running machines and reaching them; to manage users, grants and the audit trail ask for \
            more with --scope or --all-scopes. The page shows what is asked for.

            With --token-file a token you have already is tried and stored instead.

            EXAMPLES
              tidegate login https://gateway.example.org
              tidegate login https://gateway.example.org --all-scopes
              tidegate login https://gateway.example.org --token-file ./token
              tidegate login https://gateway.example.org --token-file -     (from the standard input)
            """)

    @Argument(help: "The gateway's address.")
    var address: String

    @Option(help: ArgumentHelp("A PEM file that replaces the system's certificate authorities.", valueName: "file"))
    var caFile: String?

    @Option(
        name: .customLong("scope"), help: "What the token may be used for, instead of running machines; several times.")
    var scope: [String] = []

    @Flag(help: "A token for everything your role may do, also managing access.")
    var allScopes = false

    @OptionGroup var gateway: GatewayOptions

    private var scopes: [String]? {
        allScopes ? Role.admin.scopes.names : scope.isEmpty ? nil : scope
    }

    func validate() throws {
        guard !allScopes || scope.isEmpty else { throw ValidationError("--scope and --all-scopes exclude each other") }
        try Checked.scopes(scope)
        guard gateway.url == nil, gateway.stateDir == nil else {
            throw ValidationError("login takes the gateway's address as its argument")
        }
    }

    func perform() async throws {
        let home = try gateway.home()
        let authority = (caFile ?? gateway.environment.variables["TIDEGATE_CA_FILE"]).map(GatewayOptions.absolute)
        let endpoint = try GatewayEndpoint(address)
        let client = try GatewayClient(endpoint: endpoint, trustRoots: authority)
        let token = try await token(client)
        let who = try await client.with(credential: token, trustRoots: authority).whoAmI()
        var stored = try home.credentials()
        stored.gateways[endpoint.description] = .init(token: token.reveal(), caFile: authority)
        stored.current = endpoint.description
        try home.store(stored)
        try gateway.show(who) {
            Terminal.print("Logged in to \(endpoint) as \(TerminalText.neutralised(who.name)).")
        }
    }

    private func token(_ client: GatewayClient) async throws -> Secret<String> {
        guard let file = gateway.tokenFile else { return try await DeviceLogin(client: client, scopes: scopes).token() }
        let token = try SecretInput.read(file: file, prompt: "Token: ")
        guard CredentialKind(shapeOf: token.reveal()) != nil else {
            throw CommandFailure(.usage, "that is no token: a prefix such as tgp_ and 43 characters were expected")
        }
        return token
    }
}
