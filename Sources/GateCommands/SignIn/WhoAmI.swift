import ArgumentParser
import GateClient
import GateWire

struct WhoAmI: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "whoami",
        abstract: "Show who the token stands for.",
        discussion: """
            EXAMPLES
              tidegate whoami
              tidegate whoami --json
            """)

    @OptionGroup var gateway: GatewayOptions

    func perform() async throws {
        let client = try gateway.client()
        let who = try await client.whoAmI()
        try gateway.show(who) {
            var sheet = FactSheet()
            sheet.add("name", who.name)
            sheet.add("kind", who.kind)
            sheet.add("role", who.role ?? "")
            sheet.add("scopes", who.scopes.joined(separator: " "))
            sheet.add("id", who.id ?? "")
            if let node = who.node { sheet.add("node", node) }
            sheet.add("gateway", client.endpoint.description)
            Terminal.print(sheet.text, end: "")
        }
    }
}
