import Dispatch
public import GateControl
import GateProcess

/// Starts and ends sshd from this process, with the rights this process has.
public final class DirectLauncher: SSHDLauncher {
    private let program: String
    private let configuration: String
    private let record: LaunchRecord?
    private let exits = DispatchQueue(label: "tidegate.ssh.exits")

    /// `record` is for a root that may leave its sessions to a later launcher.
    public init(program: String, configuration: String, record: LaunchRecord? = nil) {
        self.program = program
        self.configuration = configuration
        self.record = record
    }

    public func start(connection: Int32, log: Int32, onExit: @escaping @Sendable (SSHProcess) -> Void) throws
        -> SSHProcess
    {
        let child = try ChildProcess.spawn(
            path: program, arguments: ["-i", "-e", "-f", configuration],
            environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"],
            descriptors: [0: connection, 1: connection, 2: log])
        let process = SSHProcess(pid: child.pid, startTime: child.startTime)
        record?.add(process)
        // Not on this thread, which may hold what the closure waits for, nor on the one that reaps all children.
        child.onExit { [exits] _ in exits.async { onExit(process) } }
        return process
    }

    public func end(_ process: SSHProcess) async -> Bool {
        let isGone = await ProcessEnding.end(
            group: process.pid, startTime: process.startTime, orphans: { isSSHDCommand($0.command) })
        if isGone { record?.remove(process) }
        return isGone
    }
}
