import ArgumentParser
import FoundationEssentials
import GateAgent
import GateModel
import GateProcess
import GateSSH
import Glibc

struct Install: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make the agent a service of this system.",
        discussion: """
            Examples:
              sudo tidegate-agent install
              tidegate-agent install --root ./image --user tidegate-agent

            Writes the systemd unit and /etc/tidegate/agent.env. Starting it is left to you.
            """)

    @Option(help: ArgumentHelp("Write below this folder instead of into this system.", valueName: "dir"))
    var root = "/"

    @Option(help: ArgumentHelp("The user the service runs as; made when missing.", valueName: "name"))
    var user = "tidegate-agent"

    @Option(help: ArgumentHelp("The sshd that visitors reach, 127.0.0.1:22 by default.", valueName: "host:port"))
    var target: String?

    @Option(help: ArgumentHelp("Path of this program in the unit.", valueName: "path"))
    var program: String?

    @Flag(help: "Also let this machine's sshd (9.8 or later) not count failed logins against 127.0.0.0/8.")
    var exemptLoopback = false

    func run() async throws {
        do { try await install() } catch { throw fail(error) }
    }

    private func install() async throws {
        guard let user = LoginName(rawValue: user) else {
            throw AgentError.configuration("--user: a login name is \(LoginName.rule)")
        }
        let target: SSHTarget?
        do { target = try self.target.map { try SSHTarget(parsing: $0) } } catch {
            throw AgentError.configuration("--target: \(error)")
        }
        let installation = AgentInstallation(root: try absolute(root))
        if installation.isThisSystem, geteuid() != 0 {
            throw AgentError.configuration(
                "installing into this system needs root: sudo tidegate-agent install, or --root DIR")
        }
        let program = program ?? (installation.isThisSystem ? Self.ownPath : nil) ?? "/usr/bin/tidegate-agent"
        let written = try installation.install(
            program: program, user: user, target: target, exemptsLoopback: exemptLoopback)
        for path in written { print("wrote \(path)") }
        if written.isEmpty { print("nothing to do: everything is in place") }
        guard installation.isThisSystem else { return }
        if try await AgentSystem.makeUser(user, home: "/var/lib/tidegate-agent") { print("made the user \(user)") }
        // The unit hides these folders from the service.
        if ["/home/", "/root/", "/tmp/"].contains(where: program.hasPrefix) {
            print("note: the service can't see \(program): copy it to /usr/local/bin and install again with that one")
        }
        _ = await AgentSystem.systemctl(["daemon-reload"])
        if !exemptLoopback, let version = await AgentSystem.sshdVersion(), version.hasPerSourcePenalties {
            print(
                """
                note: sshd \(version) locks out whoever fails to log in too often, and through the tunnel everybody \
                comes from 127.0.0.1. `tidegate-agent install --exempt-loopback` lets it except that address.
                """)
        }
        if exemptLoopback { print("next: sshd -t && systemctl reload ssh") }
        print("next: sudo tidegate-agent enrol URL   (unless this machine is enrolled)")
        print("then: sudo systemctl enable --now tidegate-agent")
    }

    private static var ownPath: String? {
        var buffer = [CChar](repeating: 0, count: 4_097)
        let count = readlink("/proc/self/exe", &buffer, 4_096)
        guard count > 0 else { return nil }
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

struct Uninstall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Undo `install`.",
        discussion: """
            Examples:
              sudo tidegate-agent uninstall
              tidegate-agent uninstall --root ./image --purge
            """)

    @Option(help: ArgumentHelp("Work below this folder instead of on this system.", valueName: "dir"))
    var root = "/"

    @Flag(help: "Remove settings and the machine's key as well.")
    var purge = false

    func run() async throws {
        do {
            let installation = AgentInstallation(root: try absolute(root))
            if installation.isThisSystem {
                guard geteuid() == 0 else {
                    throw AgentError.configuration("this needs root: sudo tidegate-agent uninstall, or --root DIR")
                }
                if installation.isInstalled {
                    _ = await AgentSystem.systemctl(["disable", "--now", "tidegate-agent.service"])
                }
            }
            let (removed, kept) = try installation.uninstall(purge: purge)
            if installation.isThisSystem { _ = await AgentSystem.systemctl(["daemon-reload"]) }
            for path in removed { print("removed \(path)") }
            for line in kept { print("kept \(line)") }
            if removed.isEmpty { print("nothing was installed") }
        } catch {
            throw fail(error)
        }
    }
}

/// A path of the command line made absolute.
func absolute(_ path: String) throws -> String {
    if path.hasPrefix("/") { return path }
    guard !path.isEmpty else { throw AgentError.configuration("--root: names no folder") }
    return FileManager.default.currentDirectoryPath + "/" + path
}
