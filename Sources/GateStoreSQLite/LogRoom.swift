import Glibc

/// Whether the disk has the room that moving the write-ahead log into the store may take: as much as the log holds, at most.
///
/// A log that ate the last of the room can't be moved any more, since the store has to grow first; and with it each later
/// change is refused although most of the log is superseded. So it is moved while it is the smaller of the two.
struct LogRoom: Sendable {
    /// The store's file.
    let path: String

    /// False also when it can't be asked.
    var isShort: Bool {
        var log = stat()
        var disk = statvfs()
        guard stat("\(path)-wal", &log) == 0, log.st_size > 0, statvfs(path, &disk) == 0 else { return false }
        return UInt64(disk.f_bavail) * UInt64(disk.f_frsize) < UInt64(log.st_size)
    }
}
