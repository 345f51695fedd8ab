import ArgumentParser
import GateClient
import GateModel
import GateSSH
import GateWire

struct ProxyAdd: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add a proxy to a target: the gateway's own sshd, or another host's.",
        discussion: """
            Another host's keys are shown to be compared with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` \
            prints there, unless --host-key gives the right one. The token that its sshd looks keys up with is shown this \
            once.

            EXAMPLES
              tidegate proxy add results --target 10.0.0.5:8080
              tidegate proxy add north --host jump.example.org --target 10.0.0.5:8080 --output ./north.token
              tidegate proxy add south --host 192.0.2.7:2222 --login jump --target db.internal:5432 --host-key south.pub
            """)

    @Argument(help: "Its name.")
    var name: String

    @Option(help: ArgumentHelp("Where it leads.", valueName: "host:port"))
    var target: String

    @Option(help: ArgumentHelp("Another host's sshd; without it, the gateway's own.", valueName: "host[:port]"))
    var host: String?

    @Option(help: "The login there.")
    var login: String?

    @Option(help: ArgumentHelp("The host's public key, so that nothing is asked.", valueName: "file"))
    var hostKey: String?

    @Flag(help: "Add it switched off.")
    var inactive = false

    @Option(help: ArgumentHelp("Write the token to this file (0600) instead of printing it.", valueName: "file"))
    var output: String?

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        try Checked.name(ProxyName.self, name, "a proxy's name")
        if let login { try Checked.name(LoginName.self, login, "a login") }
        guard host != nil || (login == nil && hostKey == nil && output == nil) else {
            throw ValidationError("--login, --host-key and --output are for another host: give --host")
        }
    }

    func perform() async throws {
        let target = try SSHTarget(parsing: target)
        let client = try gateway.client()
        var request = AddProxyRequest(
            name: name, targetHost: target.host, targetPort: target.port, active: inactive ? false : nil)
        if let host {
            let place = try Self.place(host)
            request.host = place.host
            request.port = place.port
            request.login = login
            request.hostKey = try await Self.key(of: place, from: hostKey, client: client).line
        }
        let added = try OneTimeSecret.moved(from: try await client.addProxy(request), \.token, to: output)
        try gateway.show(added) {
            Terminal.note(
                "added proxy \(TerminalText.neutralised(added.name)) to \(TerminalText.neutralised(added.target))")
            OneTimeSecret.show(added.token, writtenTo: output)
        }
    }

    /// `host`, `host:port` or `[::1]:port`.
    static func place(_ text: String) throws -> SSHTarget {
        do { return try SSHTarget(parsing: text) } catch { return try SSHTarget(host: text, port: 22) }
    }

    /// The key of the file, or one of those the gateway sees, after somebody said yes to it.
    static func key(of host: SSHTarget, from file: String?, client: GatewayClient) async throws -> SSHHostKey {
        if let file { return try SSHHostKey(parsing: try BoundedFile.text(file, limit: 8_192)) }
        Terminal.note("asking \(host.text) for its host keys")
        let keys = try await client.scanProxy(ScanProxyRequest(host: host.host, port: host.port))
        guard let best = keys.first else {
            throw CommandFailure(.unreachable, "\(host.text) offers no ed25519 or ECDSA host key")
        }
        for key in keys { Terminal.printError("  \(key.type) \(TerminalText.neutralised(key.fingerprint))") }
        guard Terminal.confirms("Is \(TerminalText.neutralised(best.fingerprint)) the key of \(host.text)?") else {
            throw CommandFailure(
                .refused, "not confirmed: compare it on the host, or give the key with --host-key")
        }
        return try SSHHostKey(parsing: best.key)
    }
}

extension ProxyBody {
    var target: String { targetHost.contains(":") ? "[\(targetHost)]:\(targetPort)" : "\(targetHost):\(targetPort)" }
    var place: String { own ? "this gateway" : "\(login)@\(host):\(port)" }
}
