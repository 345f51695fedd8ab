import ArgumentParser
import GateClient
import GateSSH
import GateWire

struct KeyAdd: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Register a public key for the jump to some machines.",
        discussion: """
            Takes ed25519 and sk-ed25519 keys. Prints what a computer without tidegate needs in ~/.ssh/config, and the \
            host keys to pin; the private key stays where it is.

            EXAMPLES
              tidegate key add ~/.ssh/id_ed25519.pub --machine build-7 --ttl 30d
              tidegate key add ci.pub --machine build-7 --machine press-3 --label ci \\
                --ssh-config ~/.ssh/tidegate_jump --known-hosts ~/.ssh/tidegate_known_hosts
            """)

    @Argument(help: "The public key's file, such as ~/.ssh/id_ed25519.pub.")
    var file: String

    @Option(name: .customLong("machine"), help: "A machine it may reach, by name or agent id; several times, up to 64.")
    var machines: [String]

    @Option(help: "How long new logins are let in, such as 12h or 30d.")
    var ttl: TimeSpan?

    @Option(name: .customLong("connection-ttl"), help: "When live connections end, if later than --ttl.")
    var connectionTTL: TimeSpan?

    @Option(help: "What it is for.")
    var label: String?

    @Option(name: .customLong("ssh-config"), help: ArgumentHelp("Write the ssh_config block there.", valueName: "file"))
    var sshConfig: String?

    @Option(help: ArgumentHelp("Write the host keys there, beside what it already pins.", valueName: "file"))
    var knownHosts: String?

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        try Checked.machines(machines)
        try Checked.label(label, "a label")
        guard (1...64).contains(machines.count) else { throw ValidationError("--machine is given 1 to 64 times") }
    }

    func perform() async throws {
        let publicKey = try SSHPublicKey(parsing: try BoundedFile.text(file, limit: 8_192))
        let client = try gateway.client()
        let key = try await client.addTunnelKey(
            AddTunnelKeyRequest(
                publicKey: publicKey.line, machines: machines, label: label, ttl: ttl?.seconds,
                connectionTTL: connectionTTL?.seconds))
        let text = try JumpConfigText(
            gateway: try await client.gateway(), machines: key.machines,
            identity: Self.identity(of: file), knownHosts: knownHosts.map(GatewayOptions.absolute))
        if let sshConfig { try GeneratedFile.replace(GatewayOptions.absolute(sshConfig), with: text.config) }
        if let knownHosts { try await text.pin(into: GatewayOptions.absolute(knownHosts)) }
        try gateway.show(key) {
            Terminal.note("key \(TerminalText.neutralised(key.id)) lets new logins in until \(key.loginUntil.shown)")
            if let sshConfig { Terminal.note("wrote \(sshConfig)") } else { Terminal.print(text.config) }
            if let knownHosts {
                Terminal.note("wrote \(knownHosts)")
            } else {
                Terminal.print("# Append to \(JumpConfigText.defaultKnownHosts):")
                Terminal.print(text.knownHostsLines.joined(separator: "\n"))
            }
        }
    }

    /// The private half's usual place: the same name without `.pub`.
    static func identity(of file: String) -> String {
        let path = GatewayOptions.absolute(file)
        return path.hasSuffix(".pub") && path.count > 4 ? String(path.dropLast(4)) : "~/.ssh/id_ed25519"
    }
}
