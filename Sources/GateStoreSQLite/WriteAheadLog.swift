import GateStore
import Glibc

/// SQLite's write-ahead log, read as bytes (sqlite.org/fileformat2.html, 4): is what follows its last good frame a torn end,
/// or damage?
///
/// SQLite itself takes the log to end at the first frame whose checksum is wrong, and forgets what lies behind it without a
/// word. That is right for the end that a power failure tore, and loses acknowledged commits when bytes in the middle were
/// damaged. The two can be told apart: with `synchronous=FULL` each commit is synced before the next one writes a frame, so
/// behind a torn end lies one commit at most.
struct WriteAheadLog {
    private static let headerBytes = 32
    private static let frameHeaderBytes = 24

    private let path: String

    init(path: String) { self.path = path }

    /// What is wrong with the log, or nil. No process may be writing to it.
    func damage() throws(StoreError) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw .full("can't read \(path): \(String(cString: strerror(errno)))")
        }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: Self.headerBytes)
        guard read(file, &buffer, at: 0) else { return nil }
        let magic = word(buffer, 0)
        let pageBytes = Int(word(buffer, 8))
        let isHeaderGood =
            magic & 0xFFFF_FFFE == 0x377F_0682 && (512...65_536).contains(pageBytes) && pageBytes & (pageBytes - 1) == 0
            && checksum(buffer[0..<24], isBigEndian: magic & 1 == 1, from: (0, 0)) == (
                word(buffer, 24), word(buffer, 28)
            )
        guard isHeaderGood else { return try damageBehindLostHeader(file) }
        let salts = (word(buffer, 16), word(buffer, 20))
        var running = (word(buffer, 24), word(buffer, 28))
        var isChainWhole = true
        var commitsBehind = 0
        buffer = [UInt8](repeating: 0, count: Self.frameHeaderBytes + pageBytes)
        var number = 0
        while read(file, &buffer, at: Self.headerBytes + number * buffer.count) {
            number += 1
            // Frames of other salts were left by an earlier round of the log.
            let isOfThisRound = (word(buffer, 8), word(buffer, 12)) == salts
            if isChainWhole {
                let isBigEndian = magic & 1 == 1
                let next = checksum(
                    buffer[Self.frameHeaderBytes...], isBigEndian: isBigEndian,
                    from: checksum(buffer[0..<8], isBigEndian: isBigEndian, from: running))
                if isOfThisRound, next == (word(buffer, 16), word(buffer, 20)) {
                    running = next
                    continue
                }
                isChainWhole = false
            }
            if isOfThisRound, word(buffer, 4) != 0 { commitsBehind += 1 }
        }
        return commitsBehind > 1
            ? "\(path) is damaged: \(commitsBehind) commits lie behind a frame that is not whole" : nil
    }

    /// Without a good header SQLite ignores the whole log. A header is written once per round and synced before frames are
    /// relied on, so frames that agree with each other say that there was one.
    private func damageBehindLostHeader(_ file: Int32) throws(StoreError) -> String? {
        // Ours are of the size SQLite has chosen since 3.12.
        var buffer = [UInt8](repeating: 0, count: Self.frameHeaderBytes + 4_096)
        var commits: [UInt64: Int] = [:]
        var number = 0
        while read(file, &buffer, at: Self.headerBytes + number * buffer.count), commits.count < 1_000 {
            number += 1
            if word(buffer, 4) != 0 {
                commits[UInt64(word(buffer, 8)) << 32 | UInt64(word(buffer, 12)), default: 0] += 1
            }
        }
        let most = commits.values.max() ?? 0
        return most > 1 ? "\(path) is damaged: its header is lost, and \(most) commits lie behind it" : nil
    }

    /// Fills the buffer; false when the file ends before.
    private func read(_ file: Int32, _ buffer: inout [UInt8], at offset: Int) -> Bool {
        let wanted = buffer.count
        return buffer.withUnsafeMutableBytes { pread(file, $0.baseAddress, wanted, off_t(offset)) } == wanted
    }

    private func word(_ bytes: [UInt8], _ at: Int) -> UInt32 {
        bytes[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The log's own checksum over whole pairs of words, in the byte order of the computer that wrote it.
    private func checksum(_ bytes: ArraySlice<UInt8>, isBigEndian: Bool, from start: (UInt32, UInt32)) -> (
        UInt32, UInt32
    ) {
        bytes.withUnsafeBytes { raw in
            var (first, second) = start
            var index = 0
            while index + 8 <= raw.count {
                let left = raw.loadUnaligned(fromByteOffset: index, as: UInt32.self)
                let right = raw.loadUnaligned(fromByteOffset: index + 4, as: UInt32.self)
                first = first &+ (isBigEndian ? left.bigEndian : left.littleEndian) &+ second
                second = second &+ (isBigEndian ? right.bigEndian : right.littleEndian) &+ first
                index += 8
            }
            return (first, second)
        }
    }
}
