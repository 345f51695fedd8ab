public import GateControl
public import Logging

/// Ends sshd connections: the whole process group, and never a process that only has the number of one of ours.
public struct ConnectionEnding: Sendable {
    private let keys: KeyTable
    private let launcher: any SSHDLauncher
    private let logger: Logger

    public init(keys: KeyTable, launcher: any SSHDLauncher, logger: Logger) {
        self.keys = keys
        self.launcher = launcher
        self.logger = logger
    }

    /// Returns when all of them are gone, or couldn't be ended in about two seconds, which is logged.
    public func end(_ processes: [SSHProcess]) async {
        await withTaskGroup(of: Void.self) { group in
            for process in processes {
                group.addTask {
                    if await launcher.end(process) {
                        keys.ended(process)
                    } else {
                        logger.error(
                            "a revoked connection could not be ended",
                            metadata: ["gate.pid": "\(process.pid)"])
                    }
                }
            }
        }
    }
}

/// sshd's process names: `sshd`, and from 9.8 `sshd-session` and `sshd-auth`.
func isSSHDCommand(_ command: String) -> Bool { ["sshd", "sshd-session", "sshd-auth"].contains(command) }
