public import GateControl
import GateProcess
public import ServiceLifecycle

/// Notices the end of connections that are no children of this process: adopted ones, and those of the system's sshd.
///
/// The end of a leader isn't the end of its connection: after a kill -9 of sshd's monitor its child goes on with the tunnel.
/// So the group is ended too, and a connection is forgotten, by memory, file and store, only when nobody of it runs.
public struct ConnectionReaper: Service {
    private let keys: KeyTable
    private let launcher: any SSHDLauncher
    private let files: LiveFiles
    private let journal: ConnectionJournal

    public init(keys: KeyTable, launcher: any SSHDLauncher, liveFolder: String, journal: ConnectionJournal) {
        self.keys = keys
        self.launcher = launcher
        self.files = LiveFiles(folder: liveFolder)
        self.journal = journal
    }

    public func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try await Task.sleep(for: .seconds(1))
                for process in keys.processes
                where !ProcessIdentity.isSame(pid: process.pid, startTime: process.startTime) {
                    keys.ended(process)
                    files.remove(process)
                    journal.ended(process)
                }
            }
        }
    }
}
