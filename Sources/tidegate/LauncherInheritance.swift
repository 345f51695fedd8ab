import GateProcess
import GateSSHServer
import Glibc

/// What the root stage left this process: the way to the process that kept root, the locks, and the token file.
struct LauncherInheritance: Sendable {
    static let variable = "TIDEGATE_LAUNCHER"

    let client: LauncherClient
    let stateLock: FileLock
    let runtime: RuntimeFolder
    /// Open for writing; it appears under its name when the launcher is asked to publish it.
    let token: Int32?

    static func text(launcher: Int32, stateLock: Int32, runtimeLock: Int32, token: Int32?, runtimeFolder: String)
        -> String
    {
        "\(launcher) \(stateLock) \(runtimeLock) \(token ?? -1) \(runtimeFolder)"
    }

    /// Nil when nothing was left. The variable comes from whoever starts us, so it grants nothing that isn't already open.
    init?(environment: [String: String], stateDirectory: String) throws {
        guard let text = environment[Self.variable] else { return nil }
        let words = text.split(separator: " ", maxSplits: 4)
        let numbers = words.prefix(4).compactMap { Int32($0) }
        guard geteuid() != 0, words.count == 5, numbers.count == 4, numbers.prefix(3).allSatisfy({ $0 > 2 }) else {
            throw StartFault("\(Self.variable) is for the gateway's own use")
        }
        var kind: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(numbers[0], SOL_SOCKET, SO_TYPE, &kind, &size) == 0, kind == Int32(SOCK_SEQPACKET.rawValue)
        else {
            throw StartFault("\(Self.variable) is for the gateway's own use")
        }
        _ = fcntl(numbers[0], F_SETFD, FD_CLOEXEC)
        if numbers[3] > 2 { _ = fcntl(numbers[3], F_SETFD, FD_CLOEXEC) }
        client = LauncherClient(socket: numbers[0])
        stateLock = FileLock(inherited: numbers[1], path: "\(stateDirectory)/lock")
        let folder = String(words[4])
        runtime = RuntimeFolder(
            folder: folder, stateDirectory: stateDirectory,
            lock: FileLock(inherited: numbers[2], path: "\(folder)/lock"))
        token = numbers[3] > 2 ? numbers[3] : nil
    }
}
