import GateControl
import GateProcess
import GateSSH
import Glibc

/// One small file per sshd this gateway started, `PID.START.BOOT`, there until the process has ended. After a kill -9 of
/// the gateway the next one finds every session by it: to adopt, or to end.
struct LiveFiles: Sendable {
    let folder: String

    func prepare() throws { try PrivateFile.makeFolder(folder) }

    /// No sync: what survives a crash of the gateway is enough, and after a crash of the host no process is left.
    func add(_ process: SSHProcess) {
        let descriptor = open(path(process), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        if descriptor >= 0 { close(descriptor) }
    }

    func remove(_ process: SSHProcess) { unlink(path(process)) }

    func contains(_ process: SSHProcess) -> Bool { access(path(process), F_OK) == 0 }

    /// Those of this boot; files of earlier boots are removed.
    func all() -> [SSHProcess] {
        namesInFolder(folder).compactMap { name in
            let parts = name.split(separator: ".")
            guard parts.count == 3, let pid = Int32(parts[0]), let start = UInt64(parts[1]),
                parts[2] == ProcessIdentity.bootID
            else {
                unlink("\(folder)/\(name)")
                return nil
            }
            return SSHProcess(pid: pid, startTime: start)
        }
    }

    private func path(_ process: SSHProcess) -> String {
        "\(folder)/\(process.pid).\(process.startTime).\(ProcessIdentity.bootID)"
    }
}
