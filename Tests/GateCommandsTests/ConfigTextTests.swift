import GateCommands
import GateModel
import GateWire
import Testing

@Suite struct ConfigTextTests {
    @Test func documentedBlock() throws {
        let text = try JumpConfigText(
            gateway: Samples.gateway(), machines: [Samples.reachable()], identity: "~/.ssh/id_ed25519")
        #expect(
            text.config == """
                \(JumpConfigText.firstLine)
                Host tidegate-gateway
                    HostName gateway.example.org
                    Port 2222
                    User tidegate
                    IdentityFile ~/.ssh/id_ed25519
                    IdentitiesOnly yes
                    HostKeyAlias \(Samples.gatewayID).gateway.tidegate
                    UserKnownHostsFile ~/.ssh/tidegate_known_hosts
                    StrictHostKeyChecking yes
                Host build-7.tidegate
                    HostName 127.0.0.1
                    Port 20017
                    ProxyJump tidegate-gateway
                    HostKeyAlias \(Samples.machineID).tidegate
                    UserKnownHostsFile ~/.ssh/tidegate_known_hosts
                    StrictHostKeyChecking yes

                """)
        #expect(
            text.knownHostsLines == [
                "\(Samples.gatewayID).gateway.tidegate \(Samples.hostKey)",
                "\(Samples.machineID).tidegate \(Samples.hostKey)",
            ])
    }

    @Test func machineWithoutAPortIsARemark() throws {
        let text = try JumpConfigText(
            gateway: Samples.gateway(), machines: [Samples.reachable(lease: nil)], identity: "/k")
        #expect(!text.config.contains("Host build-7"))
        #expect(text.config.contains("# build-7 holds no port yet"))
    }

    @Test(arguments: ["github.com", "*", "a b", "x\n  ProxyCommand touch /tmp/owned", "-x", "UPPER", "", "!x"])
    func hostileNamesReachNoConfiguration(name: String) throws {
        #expect(throws: (any Error).self) {
            try JumpConfigText(gateway: Samples.gateway(), machines: [Samples.reachable(name: name)], identity: "/k")
        }
        let file = try SSHConfigFile(
            machines: [Samples.machine(name: name), Samples.machine()], context: "default",
            program: "/usr/bin/tidegate",
            home: nil, knownHosts: "/home/me/.config/tidegate/known_hosts")
        #expect(file.hosts == ["build-7.default.tidegate"])
        #expect(file.skipped == [name])
        #expect(file.config.split(separator: "\n").count == 8)
    }

    @Test func keysWithMarkersAndSeveralLinesAreRefused() {
        for key in ["@cert-authority * \(Samples.hostKey)", "\(Samples.hostKey)\n* \(Samples.hostKey)", "x y"] {
            #expect(throws: (any Error).self) {
                try JumpConfigText(
                    gateway: Samples.gateway(), machines: [Samples.reachable(keys: [key])], identity: "/k")
            }
        }
    }

    @Test func includeFileNamesMachinesBelowTheContextOnly() throws {
        let file = try SSHConfigFile(
            machines: [Samples.machine()], context: "work", program: "/opt/my tools/tidegate", home: "/tmp/50% h",
            knownHosts: "/tmp/50% h/known_hosts")
        #expect(
            file.config == """
                \(JumpConfigText.firstLine)
                Host build-7.work.tidegate
                    HostKeyAlias \(Samples.machineID).tidegate
                    ProxyCommand /usr/bin/env 'TIDEGATE_HOME=/tmp/50%% h' '/opt/my tools/tidegate' proxy -- build-7
                    UserKnownHostsFile "/tmp/50%% h/known_hosts"
                    StrictHostKeyChecking yes
                    CheckHostIP no
                    UpdateHostKeys no

                """)
        for context in ["*", "a.b", "", "x y", "a\nHost *"] {
            #expect(throws: (any Error).self) {
                try SSHConfigFile(machines: [], context: context, program: "/x", home: nil, knownHosts: "/k")
            }
        }
    }

    @Test func includeLineIsAddedOnceAtTheTop() throws {
        let line = try SSHConfigInclude.line("/home/me/.ssh/tidegate config")
        #expect(line == "Include \"/home/me/.ssh/tidegate config\"")
        let config = "Host *\n  User me\n"
        let once = SSHConfigInclude.added(line, to: config)
        #expect(once == line + "\n" + config)
        #expect(SSHConfigInclude.added(line, to: once) == once)
        #expect(SSHConfigInclude.added(line, to: "") == line + "\n")
    }

    @Test func pinsReplaceTheirOwnNamesAlone() {
        let before = "# mine\ngithub.com ssh-ed25519 A\na.tidegate ssh-ed25519 OLD\na.tidegate ssh-rsa OLD\n"
        let merged = HostKeyName.merged(["a.tidegate ssh-ed25519 NEW"], into: before)
        #expect(merged == "# mine\ngithub.com ssh-ed25519 A\na.tidegate ssh-ed25519 NEW\n")
        #expect(HostKeyName.merged(["a.tidegate ssh-ed25519 NEW"], into: merged ?? "") == nil)
        #expect(HostKeyName.merged(["b.tidegate k v"], into: "") == "b.tidegate k v\n")
    }
}
