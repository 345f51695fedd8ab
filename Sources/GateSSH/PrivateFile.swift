import GateModel
import Glibc

/// Files only their owner reads, replaced whole or not at all.
public enum PrivateFile {
    /// What failed, on which path, and the system's words for it; never the contents.
    public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        public let action: String
        public let path: String
        public let code: Int32

        public var description: String { "Could not \(action) \(path): \(String(cString: strerror(code)))" }
    }

    /// `temporary`: a name of the caller's own in the same folder for the unfinished file. What a kill left under it is
    /// replaced; a random name would gather.
    public static func write(
        _ text: Secret<String>, to path: String, mode: UInt32 = 0o600, temporary: String? = nil
    ) throws(Fault) {
        try write([UInt8](text.reveal().utf8), to: path, mode: mode, temporary: temporary)
    }

    public static func write(_ text: String, to path: String, mode: UInt32 = 0o600) throws(Fault) {
        try write([UInt8](text.utf8), to: path, mode: mode)
    }

    /// Replaces `path` (a symbolic link itself, not what it points to) and returns when that is on the disk.
    public static func write(
        _ bytes: [UInt8], to path: String, mode: UInt32 = 0o600, temporary: String? = nil
    ) throws(Fault) {
        let bytesOfPath = Array(path.utf8)
        guard !bytesOfPath.contains(0), let last = bytesOfPath.last, last != slash else {
            throw Fault(action: "write", path: path, code: EINVAL)
        }
        let folder = String(decoding: bytesOfPath.prefix((bytesOfPath.lastIndex(of: slash) ?? -1) + 1), as: UTF8.self)
        // Unguessable and exclusive: in a folder others may write, nobody can put a file or link in its place first.
        if let temporary { unlink(temporary) }
        let temporary = temporary ?? "\(folder).tidegate-\(String(UInt64.random(in: .min ... .max), radix: 36))"
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Fault(action: "create a file next to", path: path, code: errno) }
        do throws(Fault) {
            try complete(file, with: bytes, mode: mode, path: path)
            guard rename(temporary, path) == 0 else { throw Fault(action: "replace", path: path, code: errno) }
        } catch {
            unlink(temporary)
            throw error
        }
        try sync(folder: folder.isEmpty ? "." : folder)
    }

    /// Makes a folder and what is missing above it, mode 0700; one that exists is closed to group and others.
    public static func makeFolder(_ path: String) throws(Fault) {
        guard !path.isEmpty, !path.utf8.contains(0) else { throw Fault(action: "make", path: path, code: EINVAL) }
        var built = path.hasPrefix("/") ? "" : "."
        for part in path.utf8.split(separator: slash) {
            built += "/" + String(decoding: part, as: UTF8.self)
            guard mkdir(built, 0o700) != 0, errno != EEXIST else { continue }
            // A parent on a read-only or foreign file system may exist and still answer otherwise than EEXIST.
            let code = errno
            guard access(built, F_OK) == 0 else { throw Fault(action: "make", path: built, code: code) }
        }
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw Fault(action: "open", path: path, code: errno) }
        defer { close(folder) }
        var facts = stat()
        guard fstat(folder, &facts) == 0 else { throw Fault(action: "look at", path: path, code: errno) }
        guard facts.st_mode & 0o077 != 0 else { return }
        guard fchmod(folder, 0o700) == 0 else { throw Fault(action: "set the mode of", path: path, code: errno) }
    }

    private static let slash = UInt8(ascii: "/")

    private static func complete(
        _ file: Int32, with bytes: [UInt8], mode: UInt32, path: String
    ) throws(Fault) {
        defer { close(file) }
        try fill(file, with: bytes, path: path)
        // Only now, and on the descriptor: the umask had its say, and no half-written file is readable.
        guard fchmod(file, mode) == 0 else { throw Fault(action: "set the mode of", path: path, code: errno) }
        guard fsync(file) == 0 else { throw Fault(action: "sync", path: path, code: errno) }
    }

    private static func fill(_ file: Int32, with bytes: [UInt8], path: String) throws(Fault) {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count > 0 {
                done += count
            } else if count == 0 || errno != EINTR {
                throw Fault(action: "write", path: path, code: count == 0 ? EIO : errno)
            }
        }
    }

    /// Without this the new name may be lost with the power, though the file itself is safe.
    private static func sync(folder: String) throws(Fault) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Fault(action: "open", path: folder, code: errno) }
        defer { close(descriptor) }
        // EINVAL: a file system that can't sync folders, which then needs none.
        guard fsync(descriptor) == 0 || errno == EINVAL else {
            throw Fault(action: "sync", path: folder, code: errno)
        }
    }
}
