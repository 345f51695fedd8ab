/// The text of the files `tidegate-agent install` writes.
enum AgentUnit {
    /// First line of each file: what has it is ours to replace and to remove.
    static let mark = "# Written by `tidegate-agent install`; `tidegate-agent uninstall` removes it."

    /// The systemd unit. `program` and `user` are checked before.
    static func unit(program: String, user: String) -> String {
        """
        \(mark)
        [Unit]
        Description=Tidegate agent: keeps this machine reachable through its gateway
        Wants=network-online.target
        After=network-online.target nss-lookup.target ssh.service sshd.service
        StartLimitIntervalSec=0

        [Service]
        Type=notify
        NotifyAccess=main
        ExecStart=\(program) run -d
        EnvironmentFile=-/etc/tidegate/agent.env
        User=\(user)
        Group=\(user)
        # Ready is said when the tunnel is up, and a gateway may be away for longer than any start may take.
        TimeoutStartSec=infinity
        WatchdogSec=90
        # The agent backs off by itself, with jitter; this only brings it back when it ended.
        Restart=always
        RestartSec=5
        # 77: the gateway does not know this machine's key any more; asking again would change nothing.
        RestartPreventExitStatus=77
        TimeoutStopSec=15
        # Its ssh goes with it: a tunnel without its agent would hold the machine's port against the next one.
        KillMode=control-group

        StateDirectory=tidegate-agent
        StateDirectoryMode=0700
        UMask=0077
        LimitCORE=0

        # It dials out, and opens connections to this machine's own sshd: nothing of that needs a privilege.
        NoNewPrivileges=yes
        CapabilityBoundingSet=
        AmbientCapabilities=
        ProtectSystem=strict
        ProtectHome=yes
        PrivateTmp=yes
        PrivateDevices=yes
        ProtectProc=invisible
        ProtectClock=yes
        ProtectHostname=yes
        ProtectKernelLogs=yes
        ProtectKernelModules=yes
        ProtectKernelTunables=yes
        ProtectControlGroups=yes
        RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
        RestrictNamespaces=yes
        RestrictRealtime=yes
        RestrictSUIDSGID=yes
        LockPersonality=yes
        SystemCallArchitectures=native

        [Install]
        WantedBy=multi-user.target

        """
    }

    /// The environment file: required lines active, optional ones commented.
    static func environment(target: String?) -> String {
        """
        \(mark)
        # Read by tidegate-agent.service. The gateway's URL and the machine's key come from `tidegate-agent enrol`.

        # Where the machine's key and session.json live. The unit makes this folder.
        TIDEGATE_AGENT_STATE_DIR=/var/lib/tidegate-agent

        # The sshd that visitors reach.
        \(target.map { "TIDEGATE_AGENT_TARGET=\($0)" } ?? "#TIDEGATE_AGENT_TARGET=127.0.0.1:22")

        # The gateway's ssh side when it is not where the gateway says (a port forward, another name).
        #TIDEGATE_AGENT_SSH_HOST=gate.example.org
        #TIDEGATE_AGENT_SSH_PORT=2222

        # Control and data through one ssh connection to this alias, for a gateway whose API port is closed; and the
        # configuration that knows the alias.
        #TIDEGATE_AGENT_OVER_SSH=gate
        #TIDEGATE_AGENT_SSH_CONFIG=/etc/tidegate/ssh_config

        # The machine's own key, when it comes from a secret store rather than from `tidegate-agent enrol`.
        #TIDEGATE_URL=https://gate.example.org
        #TIDEGATE_AGENT_KEY_FILE=/etc/tidegate/agent.key

        """
    }

    /// The drop-in for an sshd that counts failed logins per source (OpenSSH 9.8).
    static let sshdDropIn = """
        \(mark)
        # Everybody who comes through the tunnel comes from 127.0.0.1 here: without this line one visitor's failed
        # logins lock out all others.
        PerSourcePenaltyExemptList 127.0.0.0/8

        """
}
