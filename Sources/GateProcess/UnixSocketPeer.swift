import CGateSys

/// Who made the other end of a Unix socket, as the kernel noted it at connect time (SO_PEERCRED, unix(7)).
public struct UnixSocketPeer: Hashable, Sendable {
    /// 0 when the process lives in a pid namespace that we cannot see.
    public let pid: Int32
    /// The effective user then.
    public let uid: UInt32
    public let gid: UInt32

    public init(pid: Int32, uid: UInt32, gid: UInt32) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
    }

    public static func credentials(_ descriptor: Int32) throws -> UnixSocketPeer {
        var (pid, uid, gid) = (pid_t(0), uid_t(0), gid_t(0))
        guard gate_peer_credentials(descriptor, &pid, &uid, &gid) == 0 else { throw SystemError("SO_PEERCRED") }
        return UnixSocketPeer(pid: pid, uid: uid, gid: gid)
    }
}
