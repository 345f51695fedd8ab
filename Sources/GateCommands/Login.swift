import ArgumentParser
import GateClient
import GateModel
import GateWire

struct Login: GatewayCommand {
    static let configuration = CommandConfiguration(
        abstract: "Store a token for a gateway on this computer.",
        discussion: """
            The token is tried before it is stored (0600). Commands then use this gateway unless --url or TIDEGATE_URL \
            names another.

            EXAMPLES
              tidegate login https://gateway.example.org --token-file ./token
              tidegate login https://gateway.example.org --token-file -     (from the standard input)
            """)

    @Argument(help: "The gateway's address.")
    var address: String

    @Option(help: ArgumentHelp("A PEM file that replaces the system's certificate authorities.", valueName: "file"))
    var caFile: String?

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        guard gateway.url == nil, gateway.stateDir == nil else {
            throw ValidationError("login takes the gateway's address as its argument")
        }
    }

    func perform() async throws {
        let home = try gateway.home()
        let token = try SecretInput.read(file: gateway.tokenFile, prompt: "Token: ")
        guard CredentialKind(shapeOf: token.reveal()) != nil else {
            throw CommandFailure(.usage, "that is no token: a prefix such as tgp_ and 43 characters were expected")
        }
        let authority = (caFile ?? gateway.environment.variables["TIDEGATE_CA_FILE"]).map(GatewayOptions.absolute)
        let endpoint = try GatewayEndpoint(address)
        let client = try GatewayClient(endpoint: endpoint, credential: token, trustRoots: authority)
        let who = try await client.whoAmI()
        var stored = try home.credentials()
        stored.gateways[endpoint.description] = .init(token: token.reveal(), caFile: authority)
        stored.current = endpoint.description
        try home.store(stored)
        try gateway.show(who) {
            Terminal.print("Logged in to \(endpoint) as \(TerminalText.neutralised(who.name)).")
        }
    }
}
