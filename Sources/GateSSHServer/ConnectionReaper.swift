public import GateControl
import GateProcess
public import ServiceLifecycle

/// Notices the end of connections that are no children of this process: adopted ones, and those of the system's sshd.
///
/// The end of a leader isn't the end of its connection: after a kill -9 of sshd's monitor its child goes on with the tunnel.
/// So the group is ended too, and a connection is forgotten only when nobody of it runs.
public struct ConnectionReaper: Service {
    private let keys: KeyTable
    private let ending: ConnectionEnding

    public init(keys: KeyTable, ending: ConnectionEnding) {
        self.keys = keys
        self.ending = ending
    }

    public func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try await Task.sleep(for: .seconds(1))
                for process in keys.processes
                where !ProcessIdentity.isSame(pid: process.pid, startTime: process.startTime) {
                    _ = await ending.forget(process)
                }
            }
        }
    }
}
