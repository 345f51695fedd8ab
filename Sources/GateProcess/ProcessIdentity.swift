import Glibc

/// One process as /proc shows it, read in one piece: its facts never come from two processes with the same number.
public struct ProcessIdentity: Hashable, Sendable {
    public let stat: ProcessStat
    /// The real user. sshd's monitor keeps 0 here while it runs its key helper; its effective user is then the helper's.
    public let realUID: UInt32
    public let effectiveUID: UInt32
    public let realGID: UInt32
    /// The program's path (` (deleted)` appended once replaced); nil for another user's process unless we are root.
    public let executable: String?

    public var pid: Int32 { stat.pid }
    public var parentPID: Int32 { stat.parent }
    public var processGroup: Int32 { stat.group }
    public var session: Int32 { stat.session }
    public var command: String { stat.command }
    /// Clock ticks after boot; with `bootID` and the pid it names the process for ever.
    public var startTime: UInt64 { stat.startTime }
    /// Whether it leads its own process group, so that `kill(-pid)` reaches it and its children.
    public var leadsGroup: Bool { stat.pid == stat.group }

    /// Nil when there is no such process.
    public init?(pid: Int32) {
        let found: ProcessIdentity? = ProcFile.withFolder(of: pid) { folder in
            guard let stat = ProcessStat(folder: folder), let status = ProcFile.read("status", in: folder),
                let users = Self.numbers(of: "Uid:", in: status), let groups = Self.numbers(of: "Gid:", in: status)
            else { return nil }
            return ProcessIdentity(
                stat: stat, realUID: users[0], effectiveUID: users[1], realGID: groups[0],
                executable: ProcFile.link("exe", in: folder))
        }
        guard let found else { return nil }
        self = found
    }

    private init(stat: ProcessStat, realUID: UInt32, effectiveUID: UInt32, realGID: UInt32, executable: String?) {
        self.stat = stat
        self.realUID = realUID
        self.effectiveUID = effectiveUID
        self.realGID = realGID
        self.executable = executable
    }

    /// The parent, or nil for the first process and for one whose parent has just ended.
    public var parent: ProcessIdentity? { ProcessIdentity(pid: parentPID) }

    /// The arguments, which the process may have overwritten (sshd does); empty for a zombie or a kernel thread.
    public var arguments: [String] {
        guard
            let bytes = ProcFile.withFolder(
                of: pid,
                { folder in
                    ProcessStat(folder: folder)?.startTime == startTime ? ProcFile.read("cmdline", in: folder) : nil
                })
        else { return [] }
        return bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast()
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether this very process still runs: neither ended nor replaced by a later one with its number.
    public var isRunning: Bool { Self.isSame(pid: pid, startTime: startTime) }

    /// Whether the process with this number is the one that started then, and has not ended.
    public static func isSame(pid: Int32, startTime: UInt64) -> Bool {
        guard let stat = ProcessStat(pid: pid) else { return false }
        return stat.startTime == startTime && !stat.hasEnded
    }

    /// A random name of this boot (a container shares its host's): a pid and start time mean nothing in another one.
    public static let bootID: String = {
        let bytes = ProcFile.read("/proc/sys/kernel/random/boot_id") ?? []
        return String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self)
    }()

    /// The four numbers of a `Uid:` or `Gid:` line of /proc/PID/status: real, effective, saved, file system.
    package static func numbers(of label: String, in status: [UInt8]) -> [UInt32]? {
        // The kernel escapes line breaks in the name, so no process can forge a line here.
        for line in status.split(separator: UInt8(ascii: "\n")) where line.starts(with: label.utf8) {
            let numbers = String(decoding: line.dropFirst(label.utf8.count), as: UTF8.self)
                .split(whereSeparator: { $0 == "\t" || $0 == " " }).compactMap { UInt32($0) }
            return numbers.count == 4 ? numbers : nil
        }
        return nil
    }
}
