import Glibc

/// How often the disk makes a small write durable: no store that syncs each change can be faster.
enum SyncRate {
    static let help = """
        tidegate-load sync --folder DIR --seconds S [--bytes N]

        Writes N bytes (4096) and calls fdatasync, again and again, within a file of 4 MiB that is written before: the way
        a write-ahead log is used that has reached its size. The file has no name and is gone afterwards.

        Example:
          tidegate-load sync --folder /var/lib/tidegate --seconds 5

        """
    private static let size = 4 << 20

    static func main(_ words: [String]) throws {
        let arguments = try Arguments(words, options: ["--folder", "--seconds", "--bytes"])
        let folder = try arguments.text("--folder")
        let duration = try arguments.seconds("--seconds", upTo: 600)
        let bytes = try arguments.number("--bytes", 1...1 << 20, default: 4_096)
        var name = Array("\(folder)/.tidegate-load-XXXXXX\0".utf8CString)
        let file = mkstemp(&name)
        guard file >= 0 else { throw Fault(errno: folder) }
        unlink(name)
        defer { close(file) }
        let block = [UInt8](repeating: 0x5A, count: size)
        guard pwrite(file, block, size, 0) == size, fsync(file) == 0 else { throw Fault(errno: folder) }

        var latencies = Latencies()
        let start = Clock.now()
        var (now, count, offset) = (start, 0, 0)
        while now - start < duration {
            guard pwrite(file, block, bytes, off_t(offset)) == bytes, fdatasync(file) == 0 else {
                throw Fault(errno: folder)
            }
            offset = (offset + bytes) % (size - bytes + 1)
            let after = Clock.now()
            try latencies.add(after - now)
            (now, count) = (after, count + 1)
        }
        let seconds = Double(max(now - start, 1)) / 1_000_000
        JSON.object([
            ("seconds", .fraction(seconds)), ("rate", .fraction(Double(count) / seconds)), ("latency", latencies.json),
            ("cpu_seconds", .fraction(Clock.cpuSeconds())),
        ]).print()
    }
}
