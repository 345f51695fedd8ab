import ArgumentParser
import FoundationEssentials
import GateClient
import GateModel
import GateSSH
import GateWire
import Glibc

struct SSHConfigCommand: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "ssh-config",
        abstract: "Print or write ssh_config entries, so that plain ssh, scp, rsync, Ansible and IDEs reach machines.",
        discussion: """
            Each machine becomes `Host NAME.CONTEXT.tidegate`, never a bare name or a pattern, so that no machine's \
            name can take over another host. Run it again when machines come or go; the same file is replaced.

            EXAMPLES
              tidegate ssh-config
              tidegate ssh-config --write ~/.ssh/tidegate_config --install
              ssh admin@build-7.default.tidegate
            """)

    @Option(help: ArgumentHelp("Write the entries to this file, at once and whole.", valueName: "file"))
    var write: String?

    @Option(help: "The middle part of the names, for people with several gateways.")
    var context = "default"

    @Flag(help: "Add one Include line at the top of ~/.ssh/config, unless it is there.")
    var install = false

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        try Checked.name(MachineName.self, context, "a context")
        guard !install || write != nil else { throw ValidationError("--install needs --write FILE") }
    }

    private struct Answer: Encodable {
        var config: String
        var file: String?
        var hosts: [String]
    }

    func perform() async throws {
        let home = try gateway.home()
        let machines = try await gateway.client().machines()
        let text = try SSHConfigFile(
            machines: machines, context: context, program: OwnProgram.path(),
            home: gateway.environment.variables["TIDEGATE_HOME"], knownHosts: home.knownHosts)
        for name in text.skipped { Terminal.note("left out \(TerminalText.neutralised(name)): not a machine's name") }
        try home.make()
        // Pinned now and by each `tidegate proxy`, so that ssh finds the keys even before the first connection.
        if !text.knownHostsLines.isEmpty { try await HostKeyName.merge(text.knownHostsLines, into: home.knownHosts) }
        let file = write.map(GatewayOptions.absolute)
        if let file {
            // First the folder: on a new account ~/.ssh may be missing, and the file be meant for it.
            if install, let home = gateway.environment.variables["HOME"] { try PrivateFile.makeFolder(home + "/.ssh") }
            try GeneratedFile.replace(file, with: text.config)
            if install { try SSHConfigInclude.install(file, home: gateway.environment.variables["HOME"]) }
        }
        try gateway.show(Answer(config: text.config, file: file, hosts: text.hosts)) {
            guard let file else {
                Terminal.print(text.config, end: "")
                Terminal.note("to use this: tidegate ssh-config --write ~/.ssh/tidegate_config --install")
                return
            }
            Terminal.note("wrote \(text.hosts.count) machines to \(file)")
            if !install { Terminal.note("add this at the top of ~/.ssh/config: \(try SSHConfigInclude.line(file))") }
        }
    }
}
