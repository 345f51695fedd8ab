import FoundationEssentials
import GateProcess
import GateSSH
import Glibc

/// The real tunnel: one `ssh -N -R`.
public struct SSHTunnel: Tunnel {
    private let child: SSHChild
    private let state: StateDirectory

    /// Starts ssh and notes its pid, so that an agent that was killed leaves no riddle to the next one.
    public static func open(
        _ arguments: [String], tools: SSHTools, state: StateDirectory, log: (@Sendable (String) -> Void)?
    ) throws(AgentError) -> SSHTunnel {
        let child = try SSHChild.start(arguments, tools: tools, log: log)
        try? state.write(
            ProcessRecord(
                pid: child.process.pid, startTime: child.process.startTime, bootID: ProcessIdentity.bootID),
            to: state.processFile)
        return SSHTunnel(child: child, state: state)
    }

    public func waitUntilUp() async -> Bool { await child.messages.waitForForward() }

    public func wait() async -> String {
        await child.wait()
        unlink(state.processFile)
        return OverSSHDiagnosis.endedTunnel(child.messages.lines)
    }

    public func end() async { await child.end() }
}

/// `ssh.pid`: which process carries the tunnel. Pid and start time name it in one boot and no other.
public struct ProcessRecord: Codable, Sendable, Equatable {
    public var pid: Int32
    public var startTime: UInt64
    public var bootID: String

    enum CodingKeys: String, CodingKey {
        case pid
        case startTime = "start_time"
        case bootID = "boot_id"
    }

    public init(pid: Int32, startTime: UInt64, bootID: String) {
        self.pid = pid
        self.startTime = startTime
        self.bootID = bootID
    }

    /// What the last agent on this state directory noted; nil when it left nothing running.
    public static func read(from state: StateDirectory) throws(AgentError) -> ProcessRecord? {
        try state.read(ProcessRecord.self, from: state.processFile)
    }

    /// Whether the very process still runs, and is an ssh.
    public var isRunning: Bool {
        guard bootID == ProcessIdentity.bootID, let process = ProcessIdentity(pid: pid) else { return false }
        return process.startTime == startTime && process.isRunning && process.command.hasPrefix("ssh")
    }

    /// Ends what an earlier agent left running on this state directory. Call it with the lock held.
    ///
    /// The parent-death signal makes this rare; but an old ssh that still holds the port would keep the new one out.
    public static func endOrphan(in state: StateDirectory) async -> Bool {
        guard let record = try? read(from: state) else { return false }
        defer { unlink(state.processFile) }
        guard record.isRunning, let process = ProcessIdentity(pid: record.pid) else { return false }
        // In a copied state directory the record names the ssh of the agent that it was copied from: that one lives,
        // and who gives way is for the gateway to say.
        guard process.parent?.command != "tidegate-agent" else { return false }
        return await ProcessEnding.end(group: record.pid, startTime: record.startTime, grace: .seconds(1))
    }
}
