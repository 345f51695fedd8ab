import CGateSys
import Glibc

/// An exclusive lock on a file (flock(2)), held until it is released or the process ends, however it ends.
public final class FileLock: Sendable {
    public let path: String
    private let descriptor: Int32

    /// Makes the file with mode 0600 when there is none, and never follows a symbolic link. Throws `SystemError` with
    /// EWOULDBLOCK when somebody else holds the lock.
    public init(path: String) throws {
        let descriptor = gate_lock_file(path)
        guard descriptor >= 0 else { throw SystemError("lock \(path)") }
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }
}
