import GateControl
import GateModel
import Glibc

/// `audit.key`: the key of the next seal, in one of two slots that are written in turn. Written in place, so that the old
/// key is overwritten rather than left in a free block; and a crash in the middle leaves the one before, from which the
/// lost one is made again.
struct AuditKeyFile: Sendable {
    private static let slotSize = 512
    private static let title = "tidegate-audit-key-v1"

    let path: String

    var store: SealKeyStore { SealKeyStore(load: load, save: save) }

    /// Nil when there is no file, or none that holds a key. Throws when it can't be read.
    @Sendable func load() throws -> SealKey? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw fault("read")
        }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 2 * Self.slotSize)
        let count = pread(file, &bytes, bytes.count, 0)
        guard count >= 0 else { throw fault("read") }
        let slots = [bytes[..<Self.slotSize], bytes[Self.slotSize...]]
        return slots.compactMap(Self.read).max { $0.number < $1.number }
    }

    /// Returns when the key is on the disk; the one before it is gone from the file then.
    @Sendable func save(_ key: SealKey) throws {
        let isNew = access(path, F_OK) != 0
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw fault("open") }
        defer { close(file) }
        guard fchmod(file, 0o600) == 0 else { throw fault("close to others") }
        let slot = Int(key.number % 2)
        var text = Array(Self.text(key).utf8)
        text += [UInt8](repeating: 0, count: Self.slotSize - text.count)
        try write(text, to: slot, of: file)
        guard (isNew ? fsync(file) : fdatasync(file)) == 0 else { throw fault("sync") }
        try write([UInt8](repeating: 0, count: Self.slotSize), to: 1 - slot, of: file)
        if isNew { syncFolder() }
    }

    private func write(_ bytes: [UInt8], to slot: Int, of file: Int32) throws {
        guard pwrite(file, bytes, bytes.count, off_t(slot * Self.slotSize)) == bytes.count else { throw fault("write") }
    }

    /// Without this the new file's name may be lost with the power.
    private func syncFolder() {
        let folder = open(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]), O_RDONLY | O_DIRECTORY)
        guard folder >= 0 else { return }
        fsync(folder)
        close(folder)
    }

    private static func text(_ key: SealKey) -> String {
        let words = "\(title) \(key.number) \(key.lastSequence) \(Hex.text(key.seed.reveal()))"
        return "\(words) \(Hex.text(MerkleTree.leaf(words.utf8)))\n"
    }

    private static func read(_ slot: ArraySlice<UInt8>) -> SealKey? {
        let text = String(decoding: slot.prefix { $0 >= 0x20 }, as: UTF8.self)
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 5, words[0] == title, let number = Int64(words[1]), let last = Int64(words[2]),
            let seed = Hex.bytes(words[3], count: SealKey.length), number > 0, last >= 0,
            words[4] == Hex.text(MerkleTree.leaf(words[..<4].joined(separator: " ").utf8))
        else { return nil }
        return try? SealKey(number: number, lastSequence: last, seed: Secret(seed))
    }

    private func fault(_ action: String) -> StartFault {
        StartFault("can't \(action) \(path): \(String(cString: strerror(errno)))")
    }
}
