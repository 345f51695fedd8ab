import GateAgent
import GateClient
import GateModel
import GateSSH
import Glibc
import Testing

@Suite struct AgentStateTests {
    @Test func theKeyThatWasConfirmedIsTheOnlyOneLeft() throws {
        let folder = try TemporaryFolder()
        let ring = KeyRing(folder: folder.path + "/keys")
        let first = try ring.makeKey()
        let second = try ring.makeKey()
        #expect(ring.entries() == [second, first])
        ring.confirm(second)
        #expect(ring.entries() == [second])
        #expect(folder.files() == ["/keys/key-000002", "/keys/key-000002.pub"])
        var facts = stat()
        #expect(stat(second.path, &facts) == 0 && facts.st_mode & 0o777 == 0o600)
    }

    @Test func keysWhoseAnswersWereLostStayWithinWhatAnSSHDTries() throws {
        let folder = try TemporaryFolder()
        let ring = KeyRing(folder: folder.path + "/keys")
        for _ in 0..<9 { _ = try ring.makeKey() }
        #expect(ring.entries().count == 4)
    }

    @Test func aSecondAgentOnTheSameFolderIsRefusedInWords() throws {
        let folder = try TemporaryFolder()
        let state = StateDirectory(path: folder.path + "/state")
        let lock = try state.lock()
        let error = #expect(throws: AgentError.self) { _ = try state.lock() }
        #expect(error?.description.contains(state.path) == true)
        #expect(state.isLocked)
        withExtendedLifetime(lock) {}
    }

    @Test func flagsWinOverTheEnvironmentAndThatOverWhatWasStored() throws {
        let folder = try TemporaryFolder()
        let state = StateDirectory(path: folder.path)
        try state.store(
            AgentFile(
                url: "https://stored.example.org", agentID: "a", machineID: "m", name: "box", overSSH: "stored",
                target: "127.0.0.1:1001"))
        var flags = AgentFlags()
        flags.stateDirectory = folder.path
        var settings = try AgentSettings(flags: flags, environment: [:])
        #expect(settings.target.port == 1_001 && settings.overSSH?.name == "stored")
        #expect(settings.url?.host == "stored.example.org")
        let environment = [
            "TIDEGATE_AGENT_TARGET": "127.0.0.1:1002", "TIDEGATE_URL": "https://env.example.org",
            "TIDEGATE_AGENT_OVER_SSH": "",
        ]
        settings = try AgentSettings(flags: flags, environment: environment)
        #expect(settings.target.port == 1_002 && settings.url?.host == "env.example.org")
        #expect(settings.overSSH?.name == "stored")
        flags.target = "[::1]:1003"
        settings = try AgentSettings(flags: flags, environment: environment)
        #expect(settings.target.text == "[::1]:1003")
    }

    @Test(arguments: [
        ("TIDEGATE_AGENT_TARGET", "22"), ("TIDEGATE_AGENT_ID", "a b"), ("TIDEGATE_AGENT_SSH_PORT", "ssh"),
        ("TIDEGATE_AGENT_SSH_PORT", "65536"), ("TIDEGATE_AGENT_SSH_HOST", "-oX"), ("TIDEGATE_URL", "gate"),
        ("TIDEGATE_AGENT_OVER_SSH", "a b"), ("TIDEGATE_AGENT_SSH_CONFIG", "/nonexistent/config"),
    ])
    func aMalformedValueIsNamed(variable: String, value: String) throws {
        let folder = try TemporaryFolder()
        var flags = AgentFlags()
        flags.stateDirectory = folder.path
        let error = #expect(throws: AgentError.self) {
            _ = try AgentSettings(flags: flags, environment: [variable: value])
        }
        #expect(error?.description.hasPrefix(variable) == true)
    }

    @Test func hostKeysAreReadFromAScanAndNothingElse() {
        let key = "AAAAC3NzaC1lZDI1NTE5AAAAIMruS+hpehrvC2jP1czfB5rl9pu5EKPnm35qP44sAexU"
        let text = """
            # 127.0.0.1:22 SSH-2.0-OpenSSH
            [127.0.0.1]:22 ssh-ed25519 \(key)
            @cert-authority * ssh-ed25519 \(key)
            127.0.0.1 ssh-ed25519 \(key)
            127.0.0.1 ssh-dss AAAA
            """
        #expect(HostKeyScan.parse(text).map(\.line) == ["ssh-ed25519 \(key)"])
    }

    @Test(arguments: [
        ("NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n", "Debian GNU/Linux 12 (bookworm)"),
        ("PRETTY_NAME='Alpine'\n", "Alpine"), ("PRETTY_NAME=Plain\n", "Plain"), ("PRETTY_NAME=\"\"\n", nil),
        ("PRETTY_NAME=\"a\u{1B}[31m\"\n", nil), ("NAME=x\n", nil),
    ])
    func theSystemsNameIsReadOrLeftOut(text: String, name: String?) {
        #expect(OperatingSystem.prettyName(text) == name)
    }
}
