import GateControl
import GateModel
import Glibc

/// The end of a file of the trail: which seal it has last.
struct AuditLogTail {
    enum End {
        /// The last whole seal, and the bytes up to its line break.
        case seal(AuditSeal, size: Int64)
        /// Lines of the trail, and no seal yet: the first batch was cut short. `first`: its event, where that can be read.
        case tornBatch(first: Int64?)
        /// Something else, or lines of a version that didn't seal.
        case foreign
        case nothing
    }

    private static let chunk = 1 << 20

    let path: String

    func end() throws -> End {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else {
            if errno == ENOENT { return .nothing }
            throw fault()
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw fault() }
        guard status.st_mode & S_IFMT == S_IFREG else { throw StartFault("\(path) is not a regular file") }
        guard status.st_size > 0 else { return .nothing }
        // From the end backwards, until a seal's line is whole in what was read.
        var bytes: [UInt8] = []
        var start = Int64(status.st_size)
        while start > 0 {
            let length = min(start, Int64(Self.chunk))
            start -= length
            bytes = try read(file, at: start, count: Int(length)) + bytes
            if let (seal, end) = Self.lastSeal(in: bytes, isFromStart: start == 0) {
                return .seal(seal, size: start + Int64(end))
            }
        }
        let first = AuditLine.sequence(of: bytes.prefix { $0 != UInt8(ascii: "\n") })
        return first != nil || !bytes.contains(UInt8(ascii: "\n")) ? .tornBatch(first: first) : .foreign
    }

    /// Takes what stands behind the last seal away.
    func cut(to size: Int64) throws {
        var status = stat()
        guard lstat(path, &status) == 0, Int64(status.st_size) != size else { return }
        guard truncate(path, off_t(size)) == 0 else { throw fault() }
    }

    private func read(_ file: Int32, at offset: Int64, count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = bytes.withUnsafeMutableBytes {
                pread(file, $0.baseAddress?.advanced(by: done), count - done, off_t(offset) + off_t(done))
            }
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { throw fault() }
            done += got
        }
        return bytes
    }

    private static func lastSeal(in bytes: [UInt8], isFromStart: Bool) -> (AuditSeal, end: Int)? {
        guard var end = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return nil }
        while true {
            let before = bytes[..<end].lastIndex(of: UInt8(ascii: "\n"))
            guard before != nil || isFromStart else { return nil }
            let line = bytes[(before.map { $0 + 1 } ?? 0)..<end]
            if AuditLine.isSeal(line), let seal = AuditLine.readSeal(String(decoding: line, as: UTF8.self)) {
                return (seal, end + 1)
            }
            guard let before else { return nil }
            end = before
        }
    }

    private func fault() -> StartFault { StartFault("\(path): \(String(cString: strerror(errno)))") }
}
