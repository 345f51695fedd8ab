public import GateControl
import GateProcess
public import Logging

/// Ends sshd connections: the whole process group, and never a process that only has the number of one of ours.
public struct ConnectionEnding: Sendable {
    private let keys: KeyTable
    private let logger: Logger

    public init(keys: KeyTable, logger: Logger) {
        self.keys = keys
        self.logger = logger
    }

    /// Returns when all of them are gone, or couldn't be ended in about two seconds, which is logged.
    public func end(_ processes: [SSHProcess]) async {
        await withTaskGroup(of: Void.self) { group in
            for process in processes {
                group.addTask {
                    let isGone = await ProcessEnding.end(
                        group: process.pid, startTime: process.startTime, orphans: { Self.isSSHD($0) })
                    if isGone {
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

    static func isSSHD(_ process: ProcessIdentity) -> Bool { isSSHDCommand(process.command) }
}

/// sshd's process names: `sshd`, and from 9.8 `sshd-session` and `sshd-auth`.
func isSSHDCommand(_ command: String) -> Bool { ["sshd", "sshd-session", "sshd-auth"].contains(command) }
