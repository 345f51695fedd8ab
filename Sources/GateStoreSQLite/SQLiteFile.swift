import GateStore
import Glibc

/// Makes or vets a database file before SQLite opens it by name.
enum SQLiteFile {
    /// Creates an empty file only its owner may read, or checks that the one there is such a file.
    ///
    /// SQLite itself would create with 0644 & ~umask and follow a symbolic link. It gives the `-wal` and `-shm` files
    /// the mode it finds here. An existing file isn't opened: closing any descriptor of it would drop the POSIX locks
    /// that another connection of this process holds (sqlite.org/howtocorrupt.html, 2.2).
    static func prepare(path: String) throws(StoreError) {
        var status = stat()
        if lstat(path, &status) != 0 {
            guard errno == ENOENT else { throw refusal("can't open", path) }
            return try create(path: path)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .corrupt("\(path) is not a regular file (symbolic links are refused)")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw .engine(code: "\(path) may be read by others; run: chmod 600 \(path)")
        }
        guard access(path, R_OK | W_OK) == 0 else { throw refusal("can't write", path) }
    }

    /// Creates an empty file with mode 0600; refuses whatever is there already, even a dangling link.
    static func create(path: String) throws(StoreError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw refusal("can't create", path) }
        close(descriptor)
    }

    /// Gives a finished file its final name, unless something bears that name.
    static func publish(_ partial: String, as path: String) throws(StoreError) {
        guard link(partial, path) == 0 else { throw refusal("can't create", path) }
        unlink(partial)
    }

    static func remove(path: String) { unlink(path) }

    private static func refusal(_ what: String, _ path: String) -> StoreError {
        .full("\(what) \(path): \(String(cString: strerror(errno)))")
    }
}
