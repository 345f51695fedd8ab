import GateAgent
import GateClient
import GateSSH
import GateWire
import Testing

@Suite struct SSHAliasTests {
    @Test(arguments: ["gw", "gw-north.example", "_x", "10.0.0.1", "A1"])
    func takes(name: String) throws {
        #expect(try SSHAlias(name).name == name)
    }

    @Test(arguments: ["", "-oProxyCommand=x", "a b", "user@gw", "gw*", "gw\n", "a;b", "../x", ".gw", "gw%h", "g√w"])
    func refuses(name: String) {
        #expect(throws: AgentError.self) { try SSHAlias(name) }
    }

    /// Real `ssh -G` on a real configuration.
    @Test(arguments: [
        ("gate", true), ("included", true), ("gw-north", true), ("gw-lost", false), ("matched", true),
        ("user-only", true), ("nobody", false), ("gate.example.org", false),
    ])
    func knowsWhatTheConfigurationMeans(name: String, isKnown: Bool) async throws {
        let folder = try TemporaryFolder()
        let inner = try folder.write("inner.conf", "Host included\n  Port 2022\n")
        let config = try folder.write(
            "config",
            """
            Include \(inner)
            Host gate
              HostName gate.example.org
            Host gw-* !gw-lost
              User tunnel
            Match host matched
              User matched
            Host user-only
              User someone
            Host *
              ServerAliveInterval 30
              IdentityFile ~/.ssh/id_%h
            """)
        let tools = try SSHTools.find(environment: [:])
        let resolved = try await SSHAlias(name).resolve(configFile: config, tools: tools)
        #expect((resolved != nil) == isKnown)
        if name == "included" { #expect(resolved?.port == 2_022) }
        if name == "gate" { #expect(resolved?.hostname == "gate.example.org") }
    }

    @Test func aCatchAllHostNameMeansEveryName() async throws {
        let folder = try TemporaryFolder()
        let config = try folder.write("config", "Host *\n  HostName gate.example.org\n")
        let resolved = try await SSHAlias("any").resolve(configFile: config, tools: .find(environment: [:]))
        #expect(resolved?.hostname == "gate.example.org")
    }

    @Test func aBrokenConfigurationIsNamed() async throws {
        let folder = try TemporaryFolder()
        let config = try folder.write("config", "Host gate\n  NoSuchOption yes\n")
        await #expect(throws: AgentError.self) {
            _ = try await SSHAlias("gate").resolve(configFile: config, tools: .find(environment: [:]))
        }
    }
}

@Suite struct OverSSHRouteTests {
    static let gateway = GatewayBody(
        id: "3f0c1b1e-0000-4000-8000-000000000001", version: "0.1.0", publicURL: "http://127.0.0.1:12000",
        sshHost: "gate.example.org", sshPort: 2_222, sshUser: "tidegate", sshHostKeys: [],
        apiAddress: "127.0.0.1:12000")

    private func route(user: String, configFile: String? = nil) throws -> OverSSHRoute {
        OverSSHRoute(
            alias: try SSHAlias("gw"), configFile: configFile,
            resolved: try SSHResolvedConfig(parsing: "hostname gate.example.org\nuser \(user)\nport 22\n"))
    }

    @Test func theGatewaysOwnUserIsTheDestinationWithOurKeyAlone() throws {
        let words = try route(user: "tidegate", configFile: "/etc/tidegate/ssh_config").tunnel(
            identity: "/state/keys/key-000001", knownHosts: "/state/known_hosts", gateway: Self.gateway,
            listen: SSHAddress(host: "127.0.0.1", port: 20_001), target: SSHTarget(parsing: "127.0.0.1:22"),
            ssh: "/usr/bin/ssh", attempt: 0)
        #expect(words.suffix(2) == ["--", "gw"])
        #expect(words.contains("IdentitiesOnly=yes"))
        #expect(words.contains("HostKeyAlias=\(Self.gateway.id).gateway.tidegate"))
        #expect(words.contains("/etc/tidegate/ssh_config"))
        #expect(!words.contains("-p"))
    }

    @Test func anotherAccountIsTheWayAndNeverTheDestination() throws {
        let words = try route(user: "person").tunnel(
            identity: "/state/keys/key-000001", knownHosts: "/state/known_hosts", gateway: Self.gateway,
            listen: SSHAddress(host: "127.0.0.1", port: 20_001), target: SSHTarget(parsing: "127.0.0.1:22"),
            ssh: "/usr/bin/ssh", attempt: 0)
        #expect(words.suffix(2) == ["--", "gate.example.org"])
        let proxy = try #require(words.first { $0.hasPrefix("ProxyCommand=") })
        #expect(proxy.contains("-W gate.example.org:2222 -- gw"))
    }

    @Test func everySecondAttemptGoesToTheLoopbackOfTheAliasHost() throws {
        let route = try route(user: "person")
        #expect(
            try route.proxyCommand(ssh: "/usr/bin/ssh", gateway: Self.gateway, attempt: 1).contains("-W 127.0.0.1:2222")
        )
        #expect(
            try route.proxyCommand(ssh: "/usr/bin/ssh", gateway: Self.gateway, attempt: 2).contains("gate.example.org"))
    }

    @Test func theProxyCommandIsQuotedForTheShellAndForSSH() throws {
        let route = try route(user: "person", configFile: "/home/o'brien/100% mine/$(touch x); config")
        let command = try route.proxyCommand(ssh: "/usr/bin/ssh", gateway: Self.gateway, attempt: 0)
        #expect(command.contains("'/home/o'\\''brien/100%% mine/$(touch x); config'"))
        #expect(command.hasSuffix("-- gw"))
    }

    @Test(arguments: ["person", "tidegate"])
    func theApiIsWhereTheOwnKeyMayGo(user: String) throws {
        let route = try route(user: user)
        let api = try route.api(url: GatewayURL("http://192.0.2.1:13000"), gateway: Self.gateway)
        #expect(api.address.text == (user == "tidegate" ? "127.0.0.1:12000" : "127.0.0.1:13000"))
        let unnamed = try route.api(url: GatewayURL("https://gate.example.org"), gateway: nil)
        #expect(unnamed.address.text == "127.0.0.1:12000")
        #expect(unnamed.url == nil)
    }
}
