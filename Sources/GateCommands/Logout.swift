import ArgumentParser
import GateClient

struct Logout: GatewayCommand {
    static let configuration = CommandConfiguration(
        abstract: "Forget the stored token of a gateway.",
        discussion: """
            The token stays valid; `tidegate token revoke ID` ends it.

            EXAMPLES
              tidegate logout
              tidegate logout --url https://gateway.example.org
            """)

    @OptionGroup var gateway: GatewayOptions

    private struct Answer: Encodable { var url: String }

    func perform() async throws {
        let home = try gateway.home()
        var stored = try home.credentials()
        var url = stored.current
        if let named = gateway.url { url = try GatewayEndpoint(named).description }
        guard let url, stored.gateways.removeValue(forKey: url) != nil else {
            throw CommandFailure(
                .refused, "no token is stored\(url.map { " for \(TerminalText.neutralised($0))" } ?? "")")
        }
        if stored.current == url { stored.current = stored.gateways.keys.sorted().first }
        try home.store(stored)
        try gateway.show(Answer(url: url)) { Terminal.print("Forgot the token for \(TerminalText.neutralised(url)).") }
    }
}
