import ArgumentParser
import GateCommands
import GateModel

/// The gateway and its command line.
@main
struct Tidegate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tidegate",
        abstract: "Reach machines that nobody can dial, over plain OpenSSH.",
        discussion: """
            Machines dial out and keep a tunnel; people and CI jobs come in through this gateway. Every key, token and \
            lease expires by itself and can be revoked while it is in use.

            Examples:
              tidegate serve                                   run a gateway
              tidegate machine add box                         let a machine in
              tidegate ssh box -l me                           reach it
              tidegate key add ~/.ssh/id_ed25519.pub --machine box   reach it with stock ssh alone
            """,
        version: TidegateVersion.text,
        subcommands: [Serve.self, StoreCommand.self, AuditCommand.self, SSHDLauncherCommand.self]
            + TidegateCommands.subcommands)
}
