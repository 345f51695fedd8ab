import GateProcess
import GateSSH
import Glibc

/// The folder everything is kept in: 0700, one gateway at a time.
struct StateDirectory {
    let path: String
    private let lock: FileLock

    /// `inherited`: the lock, when the stage that had root took it and gave the folder to this user.
    init(path: String, inherited: FileLock? = nil) throws {
        self.path = path
        do {
            try PrivateFile.makeFolder(path)
        } catch {
            throw StartFault("state-dir: \(error)")
        }
        guard let lock = inherited ?? (try? FileLock(path: "\(path)/lock")) else {
            throw StartFault("state-dir: another gateway runs on \(path)")
        }
        self.lock = lock
        // A gateway that stays root takes the folder back: only what is root's is handed over by a later start.
        if geteuid() == 0, let folder = try? OpenFolder(path: path), folder.ownerUID != 0 {
            try? folder.set(uid: 0, gid: 0, mode: 0o700)
        }
        for name in ["ssh", "audit"] {
            do {
                try PrivateFile.makeFolder("\(path)/\(name)")
            } catch {
                throw StartFault("state-dir: \(error)")
            }
        }
        for folder in [path, "\(path)/ssh"] { Self.removeUnfinished(in: folder) }
    }

    /// What a kill left of files that were being written: some hold a copy of the host key. The lock says that nobody else
    /// is writing there.
    private static func removeUnfinished(in folder: String) {
        guard let directory = opendir(folder) else { return }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        for name in names where name.hasPrefix(".tidegate-") { unlink("\(folder)/\(name)") }
    }
}
