import Glibc

/// The processes of this host, as far as /proc shows them.
public enum ProcessTable {
    /// All process numbers at this moment, unordered.
    public static func all() -> [Int32] {
        guard let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        var pids: [Int32] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let pid = Int32(name) { pids.append(pid) }
        }
        return pids
    }

    /// The processes of one group, those that ended but are not reaped included.
    public static func members(ofGroup group: Int32) -> [ProcessStat] {
        all().compactMap { ProcessStat(pid: $0) }.filter { $0.group == group }
    }
}
