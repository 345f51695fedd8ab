import ArgumentParser
import GateClient
import GateModel
import GateWire

struct Setup: GatewayCommand {
    static let configuration = CommandConfiguration(
        abstract: "Become the first administrator of a new gateway.",
        discussion: """
            Takes the one-time set-up secret that `tidegate serve` printed or wrote to a file, and stores the token it \
            buys on this computer (0600). The secret is read from a file, from the terminal without echo, or from the \
            standard input; never from the command line, where every user of this computer could read it.

            EXAMPLES
              tidegate setup https://gateway.example.org
              tidegate setup http://127.0.0.1:12000 --secret-file ./setup-secret
            """)

    @Argument(help: "The gateway's address.")
    var address: String

    @Option(help: ArgumentHelp("Read the set-up secret from this file.", valueName: "file"))
    var secretFile: String?

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        guard gateway.url == nil, gateway.stateDir == nil else {
            throw ValidationError("setup takes the gateway's address as its argument")
        }
    }

    func perform() async throws {
        let home = try gateway.home()
        let secret = try SecretInput.read(file: secretFile, prompt: "Set-up secret: ")
        var variables = gateway.environment.variables
        // A token in the environment belongs to somebody who is already known.
        variables["TIDEGATE_TOKEN"] = nil
        variables["TIDEGATE_TOKEN_FILE"] = nil
        let resolved = try ClientEnvironment(variables: variables).resolve(url: address, needsCredential: false)
        let client = try GatewayClient(endpoint: resolved.endpoint, trustRoots: resolved.caFile)
        let answer = try await client.setup(SetupRequest(secret: secret.reveal()))
        guard let token = answer.token else { throw CommandFailure(.refused, "the gateway's answer holds no token") }
        var stored = try home.credentials()
        stored.gateways[resolved.endpoint.description] = .init(token: token, caFile: resolved.caFile)
        stored.current = resolved.endpoint.description
        try home.store(stored)
        var shown = answer
        // It is stored; a second copy on a screen or in a log helps nobody.
        shown.token = nil
        try gateway.show(shown) {
            Terminal.print("You administer \(resolved.endpoint). The token is stored in \(home.credentialFile).")
            Terminal.print("Next: tidegate machine add NAME")
        }
    }
}

/// Where a secret may come from: a file, the standard input (`-`), or a person at a terminal.
enum SecretInput {
    static func read(file: String?, prompt: String) throws -> Secret<String> {
        let text: String?
        switch file {
        case nil: text = Terminal.readSecret(prompt: prompt).flatMap { BoundedFile.word($0) }
        case "-": text = BoundedFile.word(try BoundedFile.text(of: 0, named: "the standard input", limit: 4_096))
        case .some(let path): text = try BoundedFile.secret(path)
        }
        guard let text else { throw CommandFailure(.usage, "no secret was given, or more than one word") }
        return Secret(text)
    }
}
