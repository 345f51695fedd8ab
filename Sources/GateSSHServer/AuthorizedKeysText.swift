import GateProcess
import Glibc

/// Changes in an authorized_keys file that need no room on the disk.
package enum AuthorizedKeysText {
    /// Far beyond what a gateway without the helper is for.
    package static let limit = 64 << 20

    /// Makes a comment of every line but those of `lines`, each by one byte in place: sshd, which may be reading, sees the
    /// old line or none. A line that only ends at another time is one of them. Returns when that is on the disk.
    package static func strikeOut(of path: String, allBut lines: [String]) throws {
        let file = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC)
        guard file >= 0 else { throw SystemError("open \(path)") }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_size <= limit else { throw SystemError("read \(path)", code: EFBIG) }
        var text = [UInt8](repeating: 0, count: Int(status.st_size))
        let count = text.withUnsafeMutableBytes { pread(file, $0.baseAddress, $0.count, 0) }
        guard count == text.count else { throw SystemError("read \(path)") }
        let wanted = Set(lines.map { withoutEnd($0) })
        var start = 0
        for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            defer { start += line.count + 1 }
            guard !line.isEmpty, !wanted.contains(withoutEnd(String(decoding: line, as: UTF8.self))) else { continue }
            var mark = UInt8(ascii: "#")
            guard pwrite(file, &mark, 1, off_t(start)) == 1 else { throw SystemError("write \(path)") }
        }
        guard fsync(file) == 0 else { throw SystemError("sync \(path)") }
    }

    /// The line without its `expiry-time`, which moves on with every renewal; the gateway looks again after each login.
    private static func withoutEnd(_ line: String) -> String {
        guard let from = line.firstRange(of: ",expiry-time=\""), let to = line[from.upperBound...].firstIndex(of: "\"")
        else {
            return line
        }
        return String(line[..<from.lowerBound] + line[line.index(after: to)...])
    }
}
