import ArgumentParser
import GateClient
import GateModel
import GateWire

struct Logout: GatewayCommand {
    static let configuration = CommandConfiguration(
        abstract: "Revoke the stored token of a gateway, end your browsers' sessions there, and forget it.",
        discussion: """
            Every session of yours ends, wherever it was begun, and so does the token; your other tokens stay \
            (`tidegate token list`). With --local nothing is asked of the gateway: the token is forgotten here and stays \
            valid.

            EXAMPLES
              tidegate logout
              tidegate logout --url https://gateway.example.org
              tidegate logout --local
            """)

    @Flag(help: "Forget the token on this computer only.")
    var local = false

    @OptionGroup var gateway: GatewayOptions

    private struct Answer: Encodable {
        var url: String
        var ended: LogoutBody?
    }

    func perform() async throws {
        let home = try gateway.home()
        var stored = try home.credentials()
        var url = stored.current
        if let named = gateway.url { url = try GatewayEndpoint(named).description }
        guard let url, let entry = stored.gateways[url] else {
            throw CommandFailure(
                .refused, "no token is stored\(url.map { " for \(TerminalText.neutralised($0))" } ?? "")")
        }
        let ended = local ? nil : try await revoke(entry, at: url)
        stored.gateways[url] = nil
        if stored.current == url { stored.current = stored.gateways.keys.sorted().first }
        try home.store(stored)
        try gateway.show(Answer(url: url, ended: ended)) {
            Terminal.print("Forgot the token for \(TerminalText.neutralised(url)).")
            if let ended, ended.sessionsEnded > 0 { Terminal.print("Ended \(ended.sessionsEnded) sessions.") }
        }
    }

    /// Nil when the token was dead already: then there is nothing left to revoke. Any other failure keeps it stored, so
    /// that it isn't forgotten while it is good.
    private func revoke(_ entry: StoredCredentials.Entry, at url: String) async throws -> LogoutBody? {
        let client = try GatewayClient(
            endpoint: try GatewayEndpoint(url), credential: Secret(entry.token), trustRoots: entry.caFile)
        do {
            return try await client.logout(LogoutRequest())
        } catch {
            if error.code == .unauthenticated { return nil }
            guard error.status == nil else { throw error }
            throw CommandFailure(
                .unreachable, "\(error.description); the token is kept, --local forgets it on this computer alone")
        }
    }
}
