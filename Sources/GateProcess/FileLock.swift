import CGateSys
import Glibc

/// An exclusive lock on a file (flock(2)), held until it is released or the process ends, however it ends.
public final class FileLock: Sendable {
    public let path: String
    /// The open file that holds the lock: whoever inherits it holds the lock too.
    public let descriptor: Int32

    /// Makes the file with mode 0600 when there is none, and never follows a symbolic link. Throws `SystemError` with
    /// EWOULDBLOCK when somebody else holds the lock.
    public init(path: String) throws {
        let descriptor = gate_lock_file(path)
        guard descriptor >= 0 else { throw SystemError("lock \(path)") }
        self.path = path
        self.descriptor = descriptor
    }

    /// Takes over a lock whose open file this process inherited, and closes it to programs started from here.
    public init(inherited descriptor: Int32, path: String) {
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }
}
