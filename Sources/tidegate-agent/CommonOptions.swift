import ArgumentParser
import GateAgent

/// Flags that several commands take; each has an environment variable of the same meaning.
struct StateOption: ParsableArguments {
    @Option(
        name: .customLong("state-dir"),
        help: ArgumentHelp(
            "Where the machine's key and session.json live (TIDEGATE_AGENT_STATE_DIR).", valueName: "dir"))
    var stateDirectory: String?
}

struct WayOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Speak to the gateway through this Host of the ssh configuration (TIDEGATE_AGENT_OVER_SSH).",
            discussion: """
                The URL's port is used as seen from there, its host is not; without a port it is 12000.
                """,
            valueName: "alias"))
    var overSsh: String?

    @Option(
        help: ArgumentHelp("ssh configuration instead of the usual one (TIDEGATE_AGENT_SSH_CONFIG).", valueName: "file")
    )
    var sshConfig: String?

    @Option(help: ArgumentHelp("Refuse to be any other agent than this (TIDEGATE_AGENT_ID).", valueName: "id"))
    var agentId: String?

    @Option(
        help: ArgumentHelp(
            "PEM file of the gateway's certificate authority (TIDEGATE_AGENT_CA_FILE).", valueName: "file"))
    var caFile: String?

    @Option(
        help: ArgumentHelp(
            "The sshd that visitors reach, 127.0.0.1:22 by default (TIDEGATE_AGENT_TARGET).", valueName: "host:port"))
    var target: String?

    func flags(_ state: StateOption, url: String? = nil) -> AgentFlags {
        var flags = AgentFlags()
        flags.stateDirectory = state.stateDirectory
        flags.overSSH = overSsh
        flags.sshConfig = sshConfig
        flags.agentID = agentId
        flags.caFile = caFile
        flags.target = target
        flags.url = url
        return flags
    }
}
