import GateProcess
import GateSSH
import Glibc

/// The folder everything is kept in: 0700, one gateway at a time.
struct StateDirectory {
    let path: String
    private let lock: FileLock

    init(path: String) throws {
        self.path = path
        do {
            try PrivateFile.makeFolder(path)
        } catch {
            throw StartFault("state-dir: \(error)")
        }
        guard let lock = try? FileLock(path: "\(path)/lock") else {
            throw StartFault("state-dir: another gateway runs on \(path)")
        }
        self.lock = lock
        for name in ["ssh", "audit"] {
            do {
                try PrivateFile.makeFolder("\(path)/\(name)")
            } catch {
                throw StartFault("state-dir: \(error)")
            }
        }
    }
}
