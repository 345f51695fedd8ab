import ArgumentParser
import GateProcess
import GateSSHServer
import Glibc

/// The process that keeps root beside a gateway that gave it up. `tidegate serve` starts it; nobody else has a use for it.
struct SSHDLauncherCommand: ParsableCommand {
    static let name = "sshd-launcher"
    /// The descriptor of its one socket.
    static let socket: Int32 = 3

    static let configuration = CommandConfiguration(
        commandName: name, abstract: "Start sshd for a gateway (started by serve).", shouldDisplay: false)

    @Option var program: String
    @Option var configuration: String
    @Option var record: String
    @Option var tokenTemporary: String?
    @Option var tokenFile: String?

    func run() throws {
        umask(0o077)
        ProgramRestart.takeName("tidegate")
        try ProcessHardening.apply()
        _ = fcntl(Self.socket, F_SETFD, FD_CLOEXEC)
        // It ends with the gateway and not before: while that one drains it still has sessions to end.
        for number in [SIGTERM, SIGINT, SIGHUP] { signal(number, SIG_IGN) }
        var token: LauncherServer.Token?
        if let tokenTemporary, let tokenFile { token = .init(temporary: tokenTemporary, final: tokenFile) }
        let server = LauncherServer(
            socket: Self.socket, program: program, configuration: configuration,
            record: try LaunchRecord(folder: record), token: token)
        guard server.run() else {
            let words = "tidegate: the process that starts sshd was sent something else than a request, and ends\n"
            _ = Array(words.utf8).withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
            throw ExitCode(1)
        }
    }
}
