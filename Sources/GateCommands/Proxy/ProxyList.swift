import ArgumentParser
import GateClient
import GateModel
import GateSSH
import GateWire

struct ProxyList: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List proxies by name.",
        discussion: """
            EXAMPLES
              tidegate proxy list
            """)

    @OptionGroup var gateway: GatewayOptions

    func perform() async throws {
        let proxies = try await gateway.client().proxies()
        try gateway.show(proxies) {
            var table = Table(["NAME", "ACTIVE", "WHERE", "TARGET", "HOST KEY", "ID"])
            for proxy in proxies {
                table.add([
                    proxy.name, proxy.active ? "yes" : "no", proxy.place, proxy.target,
                    proxy.hostKeyConfirmed ? "confirmed" : "unconfirmed", proxy.id,
                ])
            }
            Terminal.print(table)
        }
    }
}

struct ProxyShow: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one proxy.",
        discussion: """
            EXAMPLES
              tidegate proxy show north
            """)

    @Argument(help: "The proxy's name or id.")
    var proxy: String

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.proxy(proxy) }

    func perform() async throws {
        let found = try await gateway.client().proxy(proxy)
        try gateway.show(found) { Terminal.print(found.sheet.text, end: "") }
    }
}

extension ProxyBody {
    var sheet: FactSheet {
        var sheet = FactSheet()
        sheet.add("name", name)
        sheet.add("id", id)
        sheet.add("active", active ? "yes" : "no")
        sheet.add("where", place)
        sheet.add("target", target)
        sheet.add(
            "host keys",
            hostKeys.map { key in
                guard let parsed = try? SSHHostKey(parsing: key) else { return key }
                return "\(parsed.kind.rawValue) \(parsed.fingerprint)"
            })
        sheet.add("confirmed", hostKeyConfirmed ? "yes" : "no: compare it, then `tidegate proxy host-key`")
        sheet.add("added", createdAt.shown)
        sheet.add("changed", updatedAt.shown)
        return sheet
    }
}

extension Checked {
    static func proxy(_ text: String) throws {
        if ID<Never>(text) == nil { try name(ProxyName.self, text, "a proxy's name") }
    }
}
