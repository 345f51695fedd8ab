import GateSSH
import Testing

@Suite struct SSHArgumentsTests {
    let listen: SSHAddress
    let api: SSHAddress

    init() throws {
        self.listen = try SSHAddress(parsing: "127.0.0.1:20017")
        self.api = try SSHAddress(parsing: "127.0.0.1:12000")
    }

    private func direct(
        identity: String = "/s/key", knownHosts: String = "/s/known hosts", alias: String = "tidegate-gw",
        host: String = "gw.example.org", port: Int = 2_222, user: String = "tidegate", target: String = "127.0.0.1:22",
        configFile: String? = nil, proxyCommand: String? = nil
    ) throws -> [String] {
        try SSHArguments.reverseTunnel(
            identity: identity, knownHosts: knownHosts, hostKeyAlias: alias, gatewayHost: host, gatewayPort: port,
            user: user, listen: listen, target: target, configFile: configFile, proxyCommand: proxyCommand)
    }

    static let tunnel = [
        "-o", "ExitOnForwardFailure=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=10", "-o",
        "ServerAliveCountMax=3", "-o", "TCPKeepAlive=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none", "-o",
        "ForwardAgent=no", "-o", "ForwardX11=no", "-o", "PermitLocalCommand=no", "-o", "LogLevel=ERROR",
    ]

    @Test func aDirectTunnelIsPinnedAndTakesNothingOfTheUsersConfiguration() throws {
        #expect(
            try direct() == [
                "-N", "-T", "-F", "none", "-i", "/s/key", "-p", "2222", "-l", "tidegate", "-o", "BatchMode=yes", "-o",
                "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "StrictHostKeyChecking=yes", "-o",
                "UserKnownHostsFile=\"/s/known hosts\"", "-o", "GlobalKnownHostsFile=none", "-o",
                "HostKeyAlias=tidegate-gw", "-o", "UpdateHostKeys=no",
            ] + Self.tunnel + ["-R", "127.0.0.1:20017:127.0.0.1:22", "--", "gw.example.org"])
    }

    @Test func aDirectTunnelIsUnderstoodBySSH() throws {
        let arguments = try direct(target: "[::1]:22", proxyCommand: "/usr/bin/nc -x proxy %h %p")
        let printed = try Spawned("/usr/bin/ssh", ["-G"] + arguments)
        #expect(printed.status == 0, "\(printed.errors)")
        let config = try SSHResolvedConfig(parsing: printed.output)
        #expect(config.hostname == "gw.example.org")
        #expect(config.port == 2_222)
        #expect(config.user == "tidegate")
        #expect(config.proxyCommand == "/usr/bin/nc -x proxy %h %p")
        let expected = [
            "batchmode": "yes", "identitiesonly": "yes", "stricthostkeychecking": "true", "hostkeyalias": "tidegate-gw",
            "userknownhostsfile": "/s/known hosts", "globalknownhostsfile": "none", "updatehostkeys": "false",
            "exitonforwardfailure": "yes", "connecttimeout": "10", "serveraliveinterval": "10", "tcpkeepalive": "yes",
            "controlmaster": "false", "forwardagent": "no", "forwardx11": "no", "permitlocalcommand": "no",
            "loglevel": "ERROR", "sessiontype": "none", "requesttty": "false",
            "remoteforward": "[127.0.0.1]:20017 [::1]:22",
        ]
        for (name, value) in expected { #expect(config.options[name] == [value], "\(name)") }
    }

    @Test func aTunnelThroughAnAliasUsesItAsItStands() throws {
        #expect(
            try SSHArguments.reverseTunnel(
                alias: "gw", configFile: "/s/config file", identity: "/s/key", listen: listen, target: "127.0.0.1:22")
                == [
                    "-N", "-T", "-F", "/s/config file", "-i", "/s/key", "-o", "BatchMode=yes", "-o",
                    "ForkAfterAuthentication=no",
                ] + Self.tunnel + ["-R", "127.0.0.1:20017:127.0.0.1:22", "--", "gw"])
        let pinned = try SSHArguments.reverseTunnel(
            alias: "gw", identity: "/s/key", listen: listen, target: "127.0.0.1:22",
            pin: .init(knownHosts: "/s/known", hostKeyAlias: "a"))
        #expect(!pinned.contains("-F"))
        #expect(pinned.contains("UserKnownHostsFile=/s/known"))
        #expect(pinned.contains("StrictHostKeyChecking=yes"))
    }

    @Test func aLocalForwardEndsInAPrivateSocket() throws {
        let arguments = try SSHArguments.localForward(
            alias: "gw", identities: ["/s/a", "/s/b c"], localSocket: "/s/a b/api.sock", remote: api)
        #expect(
            arguments
                == [
                    "-N", "-T", "-i", "/s/a", "-i", "/s/b c", "-o", "BatchMode=yes", "-o", "ForkAfterAuthentication=no",
                ]
                + Self.tunnel + [
                    "-o", "StreamLocalBindMask=0177", "-o", "StreamLocalBindUnlink=yes", "-L",
                    "/s/a b/api.sock:127.0.0.1:12000", "--", "gw",
                ])
        let printed = try Spawned("/usr/bin/ssh", ["-G", "-F", "none"] + arguments)
        #expect(printed.status == 0, "\(printed.errors)")
        let config = try SSHResolvedConfig(parsing: printed.output)
        #expect(config.options["localforward"] == ["/s/a b/api.sock [127.0.0.1]:12000"])
    }

    @Test func aLocalForwardMayEndInATCPPort() throws {
        let arguments = try SSHArguments.localForward(
            alias: "gw", local: try SSHAddress(parsing: "127.0.0.1:5000"), remote: api)
        #expect(arguments.suffix(4) == ["-L", "127.0.0.1:5000:127.0.0.1:12000", "--", "gw"])
    }

    @Test(arguments: ["", "-oProxyCommand=id", "gw evil", "gw\n", "ssh://gw", "a@b@", "*", ".gw", "gw;id", "gẅ"])
    func aDestinationThatSSHCouldMisreadIsRefused(_ name: String) throws {
        #expect(throws: SSHArguments.Fault.self) { try direct(host: name) }
        guard name != "a@b@" else { return }
        #expect(throws: SSHArguments.Fault.self) {
            try SSHArguments.reverseTunnel(alias: name, identity: "/s/key", listen: listen, target: "127.0.0.1:22")
        }
        #expect(throws: SSHArguments.Fault.self) { try direct(alias: name) }
        #expect(throws: SSHArguments.Fault.self) { try direct(user: name) }
    }

    @Test(arguments: ["", "key", "-key", "/s/%d", "/s/${HOME}", "/s/a\nb", "/s/\0"])
    func aPathThatSSHWouldReadOtherwiseIsRefused(_ path: String) {
        #expect(throws: SSHArguments.Fault.self) { try direct(identity: path) }
        #expect(throws: SSHArguments.Fault.self) { try direct(knownHosts: path) }
        #expect(throws: SSHArguments.Fault.self) {
            try SSHArguments.localForward(alias: "gw", localSocket: path, remote: api)
        }
    }

    @Test(arguments: ["/s/a:b", "/s/a\\b", "/s/[a]", "/" + String(repeating: "s", count: 107)])
    func aSocketPathHasNoFieldMarks(_ path: String) {
        #expect(throws: SSHArguments.Fault.self) {
            try SSHArguments.localForward(alias: "gw", localSocket: path, remote: api)
        }
    }

    @Test func badTargetsPortsAndCommandsAreRefused() {
        for target in ["", "22", "/run/x.sock", "a b:22", "127.0.0.1:0"] {
            #expect(throws: SSHArguments.Fault.self) { try direct(target: target) }
        }
        for port in [0, -1, 65_536] { #expect(throws: SSHArguments.Fault.self) { try direct(port: port) } }
        for command in ["", "a\nLocalCommand x"] {
            #expect(throws: SSHArguments.Fault.self) { try direct(proxyCommand: command) }
        }
        #expect(throws: SSHArguments.Fault.self) { try direct(configFile: "config") }
    }
}
