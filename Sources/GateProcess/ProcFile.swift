import Glibc

/// Reads from /proc, whose files have no size before they are read.
package enum ProcFile {
    /// The whole file, or nil when it cannot be read or is longer than the limit in bytes.
    package static func read(
        _ path: String, in folder: Int32 = AT_FDCWD, limit: Int = 1 << 20
    ) -> [UInt8]? {
        let file = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0, bytes.count + count <= limit else { return nil }
            if count == 0 { return bytes }
            bytes += chunk.prefix(count)
        }
    }

    /// Runs the body with /proc/PID open: it names that one process, and nothing once the number is used again.
    package static func withFolder<Value>(of pid: Int32, _ body: (Int32) -> Value?) -> Value? {
        guard pid > 0 else { return nil }
        let folder = open("/proc/\(pid)", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return nil }
        defer { close(folder) }
        return body(folder)
    }

    /// The target of a symbolic link, or nil where the kernel does not let us see it.
    package static func link(_ name: String, in folder: Int32) -> String? {
        var buffer = [CChar](repeating: 0, count: 4097)
        let count = readlinkat(folder, name, &buffer, 4096)
        return count > 0 ? String(cString: buffer) : nil
    }
}
