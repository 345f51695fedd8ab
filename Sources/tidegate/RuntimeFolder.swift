import GateModel
import GateProcess
import GateSSH
import Glibc

/// Where `keys.sock` lives, so that the helper's user can reach it and nobody else.
struct RuntimeFolder: Sendable {
    static let standard = "/run/tidegate"

    /// The sockets to listen on; the helper is told the last one.
    let sockets: [String]
    /// Held for as long as this gateway runs.
    private let lock: FileLock?

    var helperSocket: String { sockets.last ?? "" }

    /// `/run/tidegate` for root. Where another gateway has it, the state directory, and beside it a folder of our own below
    /// /run: the helper's user can't pass through the state directory.
    static func prepare(stateDirectory: String, gateway: String, isRoot: Bool) throws -> RuntimeFolder {
        let own = "\(stateDirectory)/keys.sock"
        guard own.utf8.count <= 107 else {
            throw StartFault("state-dir: \(own) is longer than the 107 bytes of a socket's path")
        }
        guard isRoot, let group = UserAccount(name: SSHPreparation.helperUser)?.gid else {
            return RuntimeFolder(sockets: [own], lock: nil)
        }
        try makeFolder(standard, group: group)
        if let lock = try? FileLock(path: "\(standard)/lock") {
            return RuntimeFolder(sockets: ["\(standard)/keys.sock"], lock: lock)
        }
        let second = "\(standard)-\(gateway.prefix(8))"
        try makeFolder(second, group: group)
        guard let lock = try? FileLock(path: "\(second)/lock") else {
            throw StartFault("another process holds \(second)/lock")
        }
        return RuntimeFolder(sockets: [own, "\(second)/keys.sock"], lock: lock)
    }

    /// 0750, root's and the helper's group. What lies there under the name and isn't such a folder is refused, not mended.
    private static func makeFolder(_ path: String, group: UInt32) throws {
        if mkdir(path, 0o750) != 0, errno != EEXIST { throw StartFault("\(path): \(String(cString: strerror(errno)))") }
        var info = stat()
        guard lstat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR, info.st_uid == geteuid() else {
            throw StartFault("\(path) is not a folder of this user")
        }
        guard chown(path, geteuid(), group) == 0, chmod(path, 0o750) == 0 else {
            throw StartFault("\(path): \(String(cString: strerror(errno)))")
        }
    }
}
