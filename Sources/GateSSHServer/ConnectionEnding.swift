public import GateControl
public import Logging

/// Ends sshd connections: the whole process group, and never a process that only has the number of one of ours.
public struct ConnectionEnding: Sendable {
    private let keys: KeyTable
    private let launcher: any SSHDLauncher
    private let files: LiveFiles
    private let journal: ConnectionJournal
    private let logger: Logger

    public init(
        keys: KeyTable, launcher: any SSHDLauncher, liveFolder: String, journal: ConnectionJournal, logger: Logger
    ) {
        self.keys = keys
        self.launcher = launcher
        self.files = LiveFiles(folder: liveFolder)
        self.journal = journal
        self.logger = logger
    }

    /// Ends what is left of the connection and, once nobody of it runs, forgets it by memory, file and store.
    func forget(_ process: SSHProcess) async -> Bool {
        guard await launcher.end(process) else { return false }
        // A connection that never logged in was never written down.
        let wasKnown = keys.contains(process)
        keys.ended(process)
        files.remove(process)
        if wasKnown { journal.ended(process) }
        return true
    }

    /// Returns when all of them are gone, or couldn't be ended in about two seconds, which is logged.
    public func end(_ processes: [SSHProcess]) async {
        await withTaskGroup(of: Void.self) { group in
            for process in processes {
                group.addTask {
                    guard await forget(process) else {
                        logger.error(
                            "a revoked connection could not be ended", metadata: ["gate.pid": "\(process.pid)"])
                        return
                    }
                }
            }
        }
    }
}

/// sshd's process names: `sshd`, and from 9.8 `sshd-session` and `sshd-auth`.
func isSSHDCommand(_ command: String) -> Bool { ["sshd", "sshd-session", "sshd-auth"].contains(command) }
