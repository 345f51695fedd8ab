import GateControl
import GateModel
import GateStore
import Glibc
import Logging

/// Copies the sealed trail to `audit/audit.jsonl`: each batch of events, a JSON object a line, and behind it its seal. The
/// file follows the store, so a line is there only when its fact is; and each batch is written at once, so that whatever
/// stands behind the last seal is the rest of a write that a crash cut short.
actor AuditLogFile {
    static let rotationSize: Int64 = 64 << 20
    static let kept = 10
    /// The name of this destination in the store.
    static let destination = "log"
    private static let writeSize = 1 << 20

    /// What this process knows of the file: the last seal in it, and its size then.
    private struct Position {
        var number: Int64
        var sequence: Int64
        var size: Int64
        var inode: UInt
    }

    private let trail: AuditTrail
    private let folder: String
    private let logger: Logger
    private var position: Position?

    private var path: String { "\(folder)/audit.jsonl" }

    init(trail: AuditTrail, folder: String, logger: Logger) {
        self.trail = trail
        self.folder = folder
        self.logger = logger
    }

    /// The last event in the file; nil before the first pass.
    var exported: Int64? { position?.sequence }

    /// Writes what the file lacks. Throws where it can't; then the next pass looks at the file anew.
    func pass() async throws {
        do {
            var position = try await settledPosition()
            while true {
                let (bytes, last) = try await batch(after: position.number)
                guard let last else { break }
                rotateIfLarge(&position)
                try append(bytes, to: &position)
                position.number = last.number
                position.sequence = last.last
                self.position = position
            }
            self.position = position
        } catch {
            position = nil
            throw error
        }
    }

    /// Lines of some seals behind `number`, a mebibyte or one seal's.
    private func batch(after number: Int64) async throws -> ([UInt8], last: AuditSeal?) {
        var bytes: [UInt8] = []
        var last: AuditSeal?
        for seal in try await trail.seals(after: number, limit: 64) {
            for event in try await trail.events(from: seal.first, to: seal.last) {
                bytes += Array(AuditLine.event(event, sequence: event.sequence ?? 0).utf8) + [UInt8(ascii: "\n")]
            }
            bytes += Array(AuditLine.seal(seal).utf8) + [UInt8(ascii: "\n")]
            last = seal
            if bytes.count >= Self.writeSize { break }
        }
        return (bytes, last)
    }

    // MARK: Where the file is

    private func settledPosition() async throws -> Position {
        var status = stat()
        let isThere = lstat(path, &status) == 0
        if let position, isThere || position.size == 0,
            !isThere || position.size == Int64(status.st_size) && position.inode == UInt(status.st_ino)
        {
            return position
        }
        let file = AuditLogTail(path: path)
        switch try file.end() {
        case .seal(let seal, let size):
            let stored = try await trail.seals(after: seal.number &- 1, limit: 1).first
            if let stored, stored.number == seal.number, stored.digest != seal.digest {
                logger.warning(
                    "the audit log is of another trail than the store; it is put aside",
                    metadata: ["gate.file": "\(path)"])
                rotate()
                return try await storedPosition()
            }
            try file.cut(to: size)
            let known = try await trail.exported(to: Self.destination) ?? 0
            if seal.last < known {
                logger.warning(
                    "the audit log had lost its end; it is written again",
                    metadata: ["gate.file": "\(path)", "gate.event": "\(seal.last)"])
            }
            return try Position(number: seal.number, sequence: seal.last, size: size, inode: inode())
        case .tornBatch(let first):
            try file.cut(to: 0)
            return try await positionBefore(event: first)
        case .foreign:
            rotate()
            return try await storedPosition()
        case .nothing:
            return try await positionBefore(event: nil)
        }
    }

    /// An empty file goes on where the one rotated away ended, or where it began itself.
    private func positionBefore(event: Int64?) async throws -> Position {
        if case .seal(let seal, _) = try AuditLogTail(path: "\(path).1").end() {
            return try Position(number: seal.number, sequence: seal.last, size: 0, inode: inode())
        }
        if let event, let seal = try await trail.seal(covering: event) {
            return try Position(number: seal.number &- 1, sequence: seal.first &- 1, size: 0, inode: inode())
        }
        return try await storedPosition()
    }

    /// Without any file, the store knows what was written; somebody took it away.
    private func storedPosition() async throws -> Position {
        let sequence = try await trail.exported(to: Self.destination) ?? 0
        let seal = sequence > 0 ? try await trail.seal(covering: sequence) : nil
        return try Position(
            number: seal?.last == sequence ? seal?.number ?? 0 : (seal?.number ?? 1) &- 1, sequence: sequence, size: 0,
            inode: inode())
    }

    private func inode() throws -> UInt {
        var status = stat()
        return lstat(path, &status) == 0 ? UInt(status.st_ino) : 0
    }

    // MARK: Writing

    private func append(_ bytes: [UInt8], to position: inout Position) throws {
        let file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw fault() }
        defer { close(file) }
        let start = lseek(file, 0, SEEK_END)
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                write(file, $0.baseAddress?.advanced(by: offset), bytes.count - offset)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let fault = fault()
                // Half a batch would be read as damage; take it back.
                ftruncate(file, start)
                throw fault
            }
            offset += count
        }
        guard fdatasync(file) == 0 else { throw fault() }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw fault() }
        position.size = Int64(status.st_size)
        position.inode = UInt(status.st_ino)
    }

    private func rotateIfLarge(_ position: inout Position) {
        guard position.size >= Self.rotationSize else { return }
        rotate()
        position.size = 0
    }

    private func rotate() {
        unlink("\(path).\(Self.kept)")
        for number in stride(from: Self.kept - 1, through: 1, by: -1) {
            rename("\(path).\(number)", "\(path).\(number + 1)")
        }
        rename(path, "\(path).1")
    }

    private func fault() -> StartFault { StartFault("\(path): \(String(cString: strerror(errno)))") }
}
