import GRDB
import GateStore
import Glibc

/// Makes or vets a database file before SQLite opens it by name.
enum SQLiteFile {
    /// Creates a file only its owner may read, or checks that the one there is such a file; true when it was there.
    ///
    /// SQLite itself would create with 0644 & ~umask and follow a symbolic link. It gives the `-wal` and `-shm` files
    /// the mode it finds here. An existing file isn't opened: closing any descriptor of it would drop the POSIX locks
    /// that another connection of this process holds (sqlite.org/howtocorrupt.html, 2.2).
    static func prepare(path: String) throws(StoreError) -> Bool {
        var status = stat()
        if lstat(path, &status) != 0 {
            guard errno == ENOENT else { throw refusal("can't open", path) }
            guard size(path + "-wal") == 0 else { throw .corrupt("\(path) is gone, and its log is still here") }
            try createDatabase(path: path)
            return false
        }
        try vet(path)
        try rollBack(path)
        for name in [path + "-wal", path + "-shm"] where access(name, F_OK) == 0 || errno != ENOENT { try vet(name) }
        return true
    }

    private static func vet(_ path: String) throws(StoreError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw refusal("can't open", path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw .corrupt("\(path) is not a regular file (symbolic links are refused)")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw .engine(code: "\(path) may be read by others; run: chmod 600 \(path)")
        }
        guard access(path, R_OK | W_OK) == 0 else {
            throw .full("can't write \(path): it has to be user \(geteuid())'s, mode 0600 (chown, chmod)")
        }
    }

    /// Lets SQLite undo what a kill cut short before the log was turned on. It leaves a journal of the old kind, which a
    /// connection that may only read can't play back.
    private static func rollBack(_ path: String) throws(StoreError) {
        guard size(path + "-journal") > 0 else { return }
        do {
            let queue = try DatabaseQueue(path: path)
            _ = try queue.writeWithoutTransaction { connection in
                try Row.fetchOne(connection, sql: "SELECT 1 FROM sqlite_schema")
            }
            try queue.close()
        } catch {
            throw StoreError(mapping: error)
        }
    }

    /// Creates a database without tables. It gets its name with its first page in it: so an empty file of that name is
    /// what something else made of a store, and is never taken for a new one.
    private static func createDatabase(path: String) throws(StoreError) {
        let partial = path + ".new"
        for name in [partial, partial + "-journal", partial + "-wal", partial + "-shm"] { remove(path: name) }
        try create(path: partial)
        do {
            let queue = try DatabaseQueue(path: partial)
            try queue.writeWithoutTransaction { connection in
                // Writes the header, which an untouched database has not.
                try connection.execute(sql: "PRAGMA journal_mode = WAL")
            }
            try queue.close()
            try publish(partial, as: path)
        } catch {
            remove(path: partial)
            throw StoreError(mapping: error)
        }
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
        syncFolder(of: path)
    }

    /// Without this a new name may be lost with the power, though the file itself is safe.
    static func syncFolder(of path: String) {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    /// In bytes; 0 for a file that isn't there.
    static func size(_ path: String) -> Int64 {
        var status = stat()
        return lstat(path, &status) == 0 ? Int64(status.st_size) : 0
    }

    static func remove(path: String) { unlink(path) }

    private static func refusal(_ what: String, _ path: String) -> StoreError {
        .full("\(what) \(path): \(String(cString: strerror(errno)))")
    }
}
