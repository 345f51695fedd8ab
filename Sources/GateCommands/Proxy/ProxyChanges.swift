import ArgumentParser
import GateClient
import GateModel
import GateSSH
import GateWire

struct ProxySet: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Change where a proxy is or leads; connections to the old target end.",
        discussion: """
            EXAMPLES
              tidegate proxy set north --target 10.0.0.6:8080
              tidegate proxy set north --host jump2.example.org
            """)

    @Argument(help: "The proxy's name or id.")
    var proxy: String

    @Option(help: ArgumentHelp("Where it leads.", valueName: "host:port"))
    var target: String?

    @Option(help: ArgumentHelp("Its sshd; its host key is unconfirmed then.", valueName: "host[:port]"))
    var host: String?

    @Option(help: "The login there.")
    var login: String?

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        try Checked.proxy(proxy)
        if let login { try Checked.name(LoginName.self, login, "a login") }
        guard target != nil || host != nil || login != nil else {
            throw ValidationError("give --target, --host or --login")
        }
    }

    func perform() async throws {
        let target = try target.map { try SSHTarget(parsing: $0) }
        let host = try host.map(ProxyAdd.place)
        let changed = try await gateway.client().patchProxy(
            proxy,
            PatchProxyRequest(
                host: host?.host, port: host?.port, login: login, targetHost: target?.host, targetPort: target?.port))
        try gateway.show(changed) { Terminal.print(changed.sheet.text, end: "") }
    }
}

struct ProxyHostKey: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "host-key",
        abstract: "Put a new host key in the place of a proxy's old one, or confirm it.",
        discussion: """
            The old key stays good for --overlap, so that clients which know it go on meanwhile.

            EXAMPLES
              tidegate proxy host-key north
              tidegate proxy host-key north --host-key ssh_host_ed25519_key.pub --overlap 7d
            """)

    @Argument(help: "The proxy's name or id.")
    var proxy: String

    @Option(help: ArgumentHelp("The host's public key, so that nothing is asked.", valueName: "file"))
    var hostKey: String?

    @Option(help: "How long the old key is good too; without it, a day.")
    var overlap: OverlapSpan?

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.proxy(proxy) }

    func perform() async throws {
        let client = try gateway.client()
        let found = try await client.proxy(proxy)
        let key = try await ProxyAdd.key(
            of: SSHTarget(host: found.host, port: found.port), from: hostKey, client: client)
        let changed = try await client.setProxyHostKey(
            proxy, SetHostKeyRequest(hostKey: key.line, overlap: overlap?.seconds))
        try gateway.show(changed) { Terminal.print(changed.sheet.text, end: "") }
    }
}

struct ProxyToken: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make a new token for a proxy's sshd; those before it stay good for a while.",
        discussion: """
            EXAMPLES
              tidegate proxy token north --output ./north.token
              tidegate proxy token north --overlap 0s
            """)

    @Argument(help: "The proxy's name or id.")
    var proxy: String

    @Option(help: "How long the tokens before it are good too; without it, a day.")
    var overlap: OverlapSpan?

    @Option(help: ArgumentHelp("Write the token to this file (0600) instead of printing it.", valueName: "file"))
    var output: String?

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.proxy(proxy) }

    func perform() async throws {
        let made = try await gateway.client().rotateProxyToken(
            proxy, RotateProxyTokenRequest(overlap: overlap?.seconds))
        let shown = try OneTimeSecret.moved(from: made, \.token, to: output)
        try gateway.show(shown) { OneTimeSecret.show(shown.token, writtenTo: output) }
    }
}

struct ProxyActivate: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "activate",
        abstract: "Switch a proxy on.",
        discussion: """
            EXAMPLES
              tidegate proxy activate north
              tidegate proxy activate north --exclusive
            """)

    @Argument(help: "The proxy's name or id.")
    var proxy: String

    @Flag(help: "Switch every other proxy off at the same moment.")
    var exclusive = false

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.proxy(proxy) }

    func perform() async throws {
        let changed = try await gateway.client().activateProxy(
            proxy, ActivateProxyRequest(exclusive: exclusive ? true : nil))
        try gateway.show(changed) { Terminal.print("\(TerminalText.neutralised(changed.name)) is on.") }
    }
}

struct ProxyDeactivate: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "deactivate",
        abstract: "Switch a proxy off; connections through the gateway's own sshd end.",
        discussion: """
            EXAMPLES
              tidegate proxy deactivate north
            """)

    @Argument(help: "The proxy's name or id.")
    var proxy: String

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.proxy(proxy) }

    func perform() async throws {
        let changed = try await gateway.client().deactivateProxy(proxy)
        try gateway.show(changed) { Terminal.print("\(TerminalText.neutralised(changed.name)) is off.") }
    }
}

struct ProxyRemove: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove a proxy, its service user's tokens and the keys that are good on it alone.",
        discussion: """
            EXAMPLES
              tidegate proxy remove north
            """)

    @Argument(help: "The proxy's name or id.")
    var proxy: String

    @OptionGroup var gateway: GatewayOptions

    func validate() throws { try Checked.proxy(proxy) }

    func perform() async throws {
        try await gateway.client().removeProxy(proxy)
        try gateway.show(["removed": proxy]) { Terminal.print("Removed \(proxy).") }
    }
}

/// A span of time that may be none at all.
struct OverlapSpan: ExpressibleByArgument {
    let seconds: Int

    init?(argument: String) {
        if ["0", "0s"].contains(argument) {
            seconds = 0
        } else {
            guard let span = TimeSpan(argument: argument) else { return nil }
            seconds = span.seconds
        }
    }
}
