import CGateSys
import Glibc

/// A folder held by its descriptor: whatever becomes of its path, what is done here happens in this folder, and no
/// symbolic link in it is followed. For root's work in a folder that somebody else may write.
public final class OpenFolder: Sendable {
    public let path: String
    private let descriptor: Int32

    /// Throws `SystemError`, with ELOOP or ENOTDIR where the path itself is no folder.
    public convenience init(path: String) throws {
        try self.init(open(path, Self.flags), path: path)
    }

    private static let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC

    private init(_ descriptor: Int32, path: String) throws {
        guard descriptor >= 0 else { throw SystemError("open \(path)") }
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    public var ownerUID: UInt32? {
        var facts = stat()
        return fstat(descriptor, &facts) == 0 ? facts.st_uid : nil
    }

    /// Gives the folder itself this owner and mode.
    public func set(uid: UInt32, gid: UInt32, mode: UInt32) throws {
        guard fchown(descriptor, uid, gid) == 0, fchmod(descriptor, mode) == 0 else {
            throw SystemError("chown \(path)")
        }
    }

    /// The folder of that name, made when missing; a new one gets the owner and mode 0700.
    public func folder(_ name: String, uid: UInt32, gid: UInt32) throws -> OpenFolder {
        let isNew = mkdirat(descriptor, name, 0o700) == 0
        let folder = try OpenFolder(openat(descriptor, name, Self.flags), path: "\(path)/\(name)")
        if isNew { try folder.set(uid: uid, gid: gid, mode: 0o700) }
        return folder
    }

    /// The bytes of a regular file; nil when there is none of that name. Throws EINVAL for anything else than a file and
    /// EFBIG for more than `limit` bytes.
    public func read(_ name: String, limit: Int) throws -> [UInt8]? {
        // Without O_NONBLOCK a FIFO put there would hold us for ever.
        let file = openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw SystemError("open \(path)/\(name)")
        }
        defer { close(file) }
        var facts = stat()
        guard fstat(file, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
            throw SystemError("\(path)/\(name) is no file", code: EINVAL)
        }
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        var count = 0
        while count < bytes.count {
            let more = bytes.withUnsafeMutableBytes {
                Glibc.read(file, $0.baseAddress?.advanced(by: count), $0.count - count)
            }
            if more < 0, errno == EINTR { continue }
            guard more >= 0 else { throw SystemError("read \(path)/\(name)") }
            if more == 0 { break }
            count += more
        }
        guard count <= limit else { throw SystemError("\(path)/\(name)", code: EFBIG) }
        return Array(bytes[..<count])
    }

    /// Replaces or makes the file of that name, 0600 and the owner's.
    public func write(_ bytes: [UInt8], to name: String, uid: UInt32, gid: UInt32) throws {
        let temporary = ".tidegate-\(String(UInt64.random(in: .min ... .max), radix: 36))"
        let file = openat(descriptor, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw SystemError("write \(path)/\(name)") }
        defer { close(file) }
        var done = 0
        while done < bytes.count {
            let more = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress?.advanced(by: done), $0.count - done) }
            if more < 0, errno == EINTR { continue }
            guard more > 0 else { break }
            done += more
        }
        guard done == bytes.count, fchown(file, uid, gid) == 0, fsync(file) == 0,
            renameat(descriptor, temporary, descriptor, name) == 0
        else {
            let failure = SystemError("write \(path)/\(name)")
            unlinkat(descriptor, temporary, 0)
            throw failure
        }
        fsync(descriptor)
    }

    /// Gives everything below that is root's to another account. Files with a second name are left
    /// alone: that name may be somewhere else.
    public func handOver(uid: UInt32, gid: UInt32, depth: Int = 8) throws {
        for name in try names() {
            // Looked at and changed through one descriptor: between a look by name and a change by name it could be swapped.
            let entry = gate_open_entry(descriptor, name)
            guard entry >= 0 else { continue }
            defer { close(entry) }
            var facts = stat()
            guard fstat(entry, &facts) == 0, facts.st_uid == 0 else { continue }
            if facts.st_mode & S_IFMT == S_IFDIR {
                guard depth > 0 else { throw SystemError("\(path)/\(name)", code: ELOOP) }
                try OpenFolder(openat(descriptor, name, Self.flags), path: "\(path)/\(name)")
                    .handOver(uid: uid, gid: gid, depth: depth - 1)
            } else if facts.st_nlink != 1 {
                continue
            }
            guard gate_change_owner(entry, uid, gid) == 0 else { throw SystemError("chown \(path)/\(name)") }
        }
    }

    private func names() throws -> [String] {
        let copy = openat(descriptor, ".", Self.flags)
        guard copy >= 0, let folder = fdopendir(copy) else { throw SystemError("list \(path)") }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
