import GateControl
import GateProcess

/// Which sshd processes a root process of this gateway started, kept in a folder only root can write: what the gateway
/// asks to end has to stand here, so that it can't name the sessions of the host's own sshd.
public struct LaunchRecord: Sendable {
    private let files: LiveFiles

    /// Makes the folder, and forgets those of which nothing is left.
    public init(folder: String) throws {
        files = LiveFiles(folder: folder)
        try files.prepare()
        for process in files.all() where Self.isGone(process) { files.remove(process) }
    }

    func add(_ process: SSHProcess) { files.add(process) }
    func remove(_ process: SSHProcess) { files.remove(process) }
    func contains(_ process: SSHProcess) -> Bool { files.contains(process) }

    /// Whether neither this process nor a member of the group it led is left.
    static func isGone(_ process: SSHProcess) -> Bool {
        if let stat = ProcessStat(pid: process.pid) { return stat.startTime != process.startTime }
        return ProcessTable.members(ofGroup: process.pid).allSatisfy(\.hasEnded)
    }
}
