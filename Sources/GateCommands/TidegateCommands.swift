public import ArgumentParser

/// The commands of `tidegate` that ask a gateway, for its root command to list.
public enum TidegateCommands {
    /// In the order in which the help shows them.
    public static let subcommands: [any ParsableCommand.Type] = [
        Setup.self, Login.self, Logout.self, AuthCommand.self, WhoAmI.self, MachineCommand.self, AgentKeyCommand.self,
        KeyCommand.self,
        UserCommand.self, GrantCommand.self, AccessCommand.self, TokenCommand.self, TenantCommand.self,
        ConnectionCommand.self, ImportCommand.self, SSHCommand.self, SCPCommand.self, ProxyGroup.self,
        SSHConfigCommand.self, CompletionCommand.self,
    ]
}
