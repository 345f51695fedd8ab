import GateModel
import GateProcess
import GateSSH
import Glibc

/// Where `keys.sock` lives, so that the helper's user can reach it and nobody else.
struct RuntimeFolder: Sendable {
    static let standard = "/run/tidegate"

    /// The sockets to listen on; the helper is told the last one.
    let sockets: [String]
    /// The folder of the last socket.
    let folder: String
    /// Held for as long as this gateway runs.
    let lock: FileLock?

    var helperSocket: String { sockets.last ?? "" }

    /// One that an earlier stage of this process prepared.
    init(folder: String, stateDirectory: String, lock: FileLock?) {
        self.folder = folder
        self.lock = lock
        let own = Self.own(stateDirectory)
        switch folder {
        case Self.standard: sockets = ["\(folder)/keys.sock"]
        case stateDirectory: sockets = [own]
        default: sockets = [own, "\(folder)/keys.sock"]
        }
    }

    private static func own(_ stateDirectory: String) -> String { "\(stateDirectory)/keys.sock" }

    /// `/run/tidegate` for root. Where another gateway has it, the state directory, and beside it a folder of our own below
    /// /run: the helper's user can't pass through the state directory. `owner`: whom the gateway will run as, if not root.
    static func prepare(stateDirectory: String, isRoot: Bool, owner: UserAccount? = nil) throws -> RuntimeFolder {
        guard own(stateDirectory).utf8.count <= 107 else {
            throw StartFault("state-dir: \(own(stateDirectory)) is longer than the 107 bytes of a socket's path")
        }
        guard isRoot, let group = UserAccount(name: SSHPreparation.helperUser)?.gid else {
            return RuntimeFolder(folder: stateDirectory, stateDirectory: stateDirectory, lock: nil)
        }
        let uid = owner?.uid ?? 0
        // The lock before the owner: the folder of a running gateway stays as it is.
        for folder in [standard, besides(stateDirectory)] {
            try makeFolder(folder, uids: [0, uid, UserAccount(name: RunAs.standard)?.uid ?? 0])
            guard let lock = try? FileLock(path: "\(folder)/lock") else { continue }
            guard chown(folder, uid, group) == 0, chmod(folder, 0o750) == 0 else {
                throw StartFault("\(folder): \(SystemError("chown"))")
            }
            return RuntimeFolder(folder: folder, stateDirectory: stateDirectory, lock: lock)
        }
        throw StartFault("other processes hold \(standard)/lock and that of this gateway's own folder beside it")
    }

    private static func besides(_ stateDirectory: String) -> String {
        "\(standard)-\(RootStage.shortName(of: stateDirectory).prefix(8))"
    }

    /// Where root's gateway of that state directory listens for the helper now, or would if it were started.
    static func helperSocket(stateDirectory: String) -> String {
        func isHeld(_ lock: String) -> Bool { access(lock, F_OK) == 0 && (try? FileLock(path: lock)) == nil }
        let own = besides(stateDirectory)
        // A gateway that runs holds one of the two; whose the usual one is, only the other one tells.
        let isRunning = isHeld("\(stateDirectory)/lock")
        let usesOwn = isRunning ? isHeld("\(own)/lock") : isHeld("\(standard)/lock")
        return "\(usesOwn ? own : standard)/keys.sock"
    }

    /// What lies there under the name and isn't such a folder is refused, not mended.
    private static func makeFolder(_ path: String, uids: Set<UInt32>) throws {
        if mkdir(path, 0o750) != 0, errno != EEXIST { throw StartFault("\(path): \(SystemError("mkdir"))") }
        var info = stat()
        guard lstat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR, uids.contains(info.st_uid) else {
            throw StartFault("\(path) is not a folder of this gateway")
        }
    }
}
