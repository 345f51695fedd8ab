import ArgumentParser

/// `tidegate proxy`. Without a subcommand it is what `tidegate ssh-config` wrote into people's files: the stream to a
/// machine's sshd.
struct ProxyGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proxy",
        abstract: "Add and change proxies, through which keys for hours reach a private service.",
        subcommands: [
            ProxyAdd.self, ProxyList.self, ProxyShow.self, ProxySet.self, ProxyHostKey.self, ProxyToken.self,
            ProxyActivate.self, ProxyDeactivate.self, ProxyRemove.self, ProxyCommand.self,
        ],
        defaultSubcommand: ProxyCommand.self)
}
