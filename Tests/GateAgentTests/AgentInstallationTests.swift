import GateAgent
import GateClient
import GateModel
import GateSSH
import Glibc
import Testing

@Suite struct AgentInstallationTests {
    private let user = LoginName(rawValue: "tidegate-agent")

    @Test func installLeavesExactlyItsFilesAndUninstallRemovesThem() throws {
        let folder = try TemporaryFolder()
        let installation = AgentInstallation(root: folder.path + "/")
        let user = try #require(user)
        let written = try installation.install(
            program: "/usr/bin/tidegate-agent", user: user, target: nil, exemptsLoopback: true)
        #expect(written.count == 3)
        #expect(
            folder.files() == [
                "/etc/ssh/sshd_config.d/60-tidegate-agent.conf", "/etc/systemd/system/tidegate-agent.service",
                "/etc/tidegate/agent.env",
            ])
        #expect(installation.isInstalled)
        let again = try installation.install(
            program: "/usr/bin/tidegate-agent", user: user, target: nil, exemptsLoopback: true)
        #expect(again.isEmpty)
        let (removed, kept) = try installation.uninstall(purge: false)
        #expect(removed.count == 3 && kept.isEmpty)
        #expect(folder.files().isEmpty)
        #expect(try installation.uninstall(purge: true).removed.isEmpty)
    }

    @Test func settingsOfTheOperatorAreKeptUnlessPurged() throws {
        let folder = try TemporaryFolder()
        let installation = AgentInstallation(root: folder.path)
        let user = try #require(user)
        _ = try installation.install(
            program: "/usr/bin/tidegate-agent", user: user, target: SSHTarget(parsing: "127.0.0.1:2022"),
            exemptsLoopback: false)
        let text = try BoundedFile.text(installation.environmentFile)
        #expect(text.contains("\nTIDEGATE_AGENT_TARGET=127.0.0.1:2022\n"))
        _ = try folder.write("etc/tidegate/agent.env", text + "TIDEGATE_AGENT_SSH_PORT=22\n")
        #expect(try installation.uninstall(purge: false).kept.count == 1)
        #expect(folder.files() == ["/etc/tidegate/agent.env"])
        _ = try installation.uninstall(purge: true)
        #expect(folder.files().isEmpty)
    }

    @Test func aUnitOfSomebodyElseIsNeitherReplacedNorRemoved() throws {
        let folder = try TemporaryFolder()
        let installation = AgentInstallation(root: folder.path)
        let user = try #require(user)
        for part in ["/etc", "/etc/systemd", "/etc/systemd/system"] { mkdir(folder.path + part, 0o755) }
        _ = try folder.write("etc/systemd/system/tidegate-agent.service", "[Unit]\n")
        #expect(throws: AgentError.self) {
            try installation.install(program: "/usr/bin/x", user: user, target: nil, exemptsLoopback: false)
        }
        #expect(try installation.uninstall(purge: true).kept.count == 1)
        #expect(installation.isInstalled)
    }

    @Test(arguments: ["tidegate-agent", "/opt/my agent", "/usr/bin/x\nUser=root", "/usr/bin/%n", "/usr/bin/$x"])
    func aProgramPathThatTheUnitWouldReadOtherwiseIsRefused(program: String) throws {
        let folder = try TemporaryFolder()
        let user = try #require(user)
        #expect(throws: AgentError.self) {
            try AgentInstallation(root: folder.path).install(
                program: program, user: user, target: nil, exemptsLoopback: false)
        }
        #expect(folder.files().isEmpty)
    }
}
