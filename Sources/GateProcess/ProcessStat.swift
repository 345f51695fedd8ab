/// What /proc/PID/stat says of one process (proc_pid_stat(5)).
public struct ProcessStat: Hashable, Sendable {
    public let pid: Int32
    /// The kernel's name of the program, at most 15 bytes, chosen by the program itself.
    public let command: String
    /// One letter: `R`, `S`, `D`, `T`, `Z` (ended, not reaped), …
    public let state: Character
    public let parent: Int32
    public let group: Int32
    public let session: Int32
    /// Clock ticks after boot.
    public let startTime: UInt64

    /// Nil when there is no such process.
    public init?(pid: Int32) {
        guard let stat = ProcFile.withFolder(of: pid, { ProcessStat(folder: $0) }) else { return nil }
        self = stat
    }

    init?(folder: Int32) {
        guard let bytes = ProcFile.read("stat", in: folder) else { return nil }
        self.init(parsing: bytes)
    }

    /// Parses one stat line. The name stands between the first `(` and the *last* `)`: a process may call itself
    /// `a) Z 1 1 (b`, and would otherwise choose its own parent and start time.
    package init?(parsing bytes: [UInt8]) {
        guard let open = bytes.firstIndex(of: UInt8(ascii: "(")),
            let close = bytes.lastIndex(of: UInt8(ascii: ")")), open < close,
            let pid = Int32(String(decoding: bytes[..<open], as: UTF8.self).filter { $0 != " " })
        else { return nil }
        let fields = String(decoding: bytes[(close + 1)...], as: UTF8.self)
            .split(whereSeparator: { $0 == " " || $0 == "\n" })
        // Numbered from field 3 (state); 22 is the start time.
        guard fields.count > 19, let state = fields[0].first, fields[0].count == 1,
            let parent = Int32(fields[1]), let group = Int32(fields[2]), let session = Int32(fields[3]),
            let startTime = UInt64(fields[19])
        else { return nil }
        self.pid = pid
        self.command = String(decoding: bytes[(open + 1)..<close], as: UTF8.self)
        self.state = state
        self.parent = parent
        self.group = group
        self.session = session
        self.startTime = startTime
    }

    /// Whether it has ended and merely waits to be reaped.
    public var hasEnded: Bool { state == "Z" || state == "X" }
}
