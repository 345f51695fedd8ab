import CGateSys
import Glibc

/// An account of this host.
public struct UserAccount: Hashable, Sendable {
    public let name: String
    public let uid: UInt32
    public let gid: UInt32
    public let home: String
    public let shell: String

    /// Nil when there is no account of that name.
    public init?(name: String) {
        guard let found = Self.lookUp({ getpwnam_r(name, $0, $1, $2, $3) }) else { return nil }
        self = found
    }

    /// Nil when there is no account with that number.
    public init?(uid: UInt32) {
        guard let found = Self.lookUp({ getpwuid_r(uid, $0, $1, $2, $3) }) else { return nil }
        self = found
    }

    private init(_ entry: passwd) {
        name = String(cString: entry.pw_name)
        uid = entry.pw_uid
        gid = entry.pw_gid
        home = String(cString: entry.pw_dir)
        shell = String(cString: entry.pw_shell)
    }

    /// The account of the effective user; nil when it has no entry.
    public static var current: UserAccount? { UserAccount(uid: geteuid()) }

    /// The number of a group, or nil when there is none of that name.
    public static func groupID(named name: String) -> UInt32? {
        var buffer = [CChar](repeating: 0, count: 1 << 16)
        var entry = group()
        var found: UnsafeMutablePointer<group>?
        guard getgrnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
        return entry.gr_gid
    }

    /// The account's groups, its own first.
    public var groups: [UInt32] {
        var list = [gid_t](repeating: 0, count: 256)
        var count = Int32(list.count)
        guard getgrouplist(name, gid, &list, &count) >= 0 else { return [gid] }
        return Array(list.prefix(Int(count)))
    }

    private typealias Search = (
        UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
        UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
    ) -> Int32

    private static func lookUp(_ search: Search) -> UserAccount? {
        var buffer = [CChar](repeating: 0, count: 1 << 16)
        return buffer.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress else { return nil }
            var entry = passwd()
            var found: UnsafeMutablePointer<passwd>?
            guard search(&entry, start, buffer.count, &found) == 0, found != nil else { return nil }
            return UserAccount(entry)
        }
    }
}

extension UserAccount {
    /// Becomes this account for good, its groups included.
    ///
    /// With `keepingKill` the process may still signal other users' processes, and nothing more; this must then happen
    /// before there is a second thread, because Linux keeps capabilities per thread. Harden the process afterwards: a
    /// change of user makes it dumpable again by the system's setting.
    public func assume(keepingKill: Bool = false) throws {
        let groups = groups
        guard gate_drop_privileges(uid, gid, groups, groups.count, keepingKill ? 1 : 0) == 0 else {
            throw SystemError("setuid \(name)")
        }
    }
}
