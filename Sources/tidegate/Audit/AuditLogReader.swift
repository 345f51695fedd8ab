import GateControl
import Glibc

/// The lines of `audit.jsonl` and of those rotated away before it, oldest first. All files are opened at once, so that a
/// gateway which rotates them meanwhile changes nothing.
final class AuditLogReader {
    private struct Part {
        let name: String
        let descriptor: Int32
    }

    private let folder: String
    private var parts: [Part] = []
    private var index = 0
    private var rest: [UInt8] = []
    private var line = 0
    private var isSkipping = false
    /// Whether there is any file.
    var isEmpty: Bool { parts.isEmpty }

    /// Throws for a file that is there and can't be opened.
    init(folder: String) throws {
        self.folder = folder
        for number in stride(from: AuditLogFile.kept, through: 0, by: -1) {
            try open(number == 0 ? "audit.jsonl" : "audit.jsonl.\(number)")
        }
    }

    deinit { for part in parts { close(part.descriptor) } }

    private func open(_ name: String) throws {
        let descriptor = Glibc.open("\(folder)/\(name)", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            if errno == ENOENT { return }
            throw StartFault("\(folder)/\(name): \(String(cString: strerror(errno)))")
        }
        parts.append(Part(name: name, descriptor: descriptor))
    }

    /// Hands over every whole line there is now; called again, those that came since.
    func read(_ take: (_ line: ArraySlice<UInt8>, _ place: String) throws -> Void) throws {
        while index < parts.count {
            try drain(parts[index], take)
            guard index + 1 < parts.count else { return try followRotation(take) }
            try finish(take)
            index += 1
        }
    }

    /// What stands behind the last line break.
    func finish(_ take: (_ line: ArraySlice<UInt8>, _ place: String) throws -> Void) throws {
        if !rest.isEmpty { try take(rest[...], "\(parts[index].name) line \(line + 1)") }
        (rest, line, isSkipping) = ([], 0, false)
    }

    private func followRotation(_ take: (ArraySlice<UInt8>, String) throws -> Void) throws {
        var (named, open) = (stat(), stat())
        guard stat("\(folder)/audit.jsonl", &named) == 0, fstat(parts[index].descriptor, &open) == 0,
            named.st_ino != open.st_ino
        else { return }
        try self.open("audit.jsonl")
        try finish(take)
        index += 1
        try read(take)
    }

    private func drain(_ part: Part, _ take: (ArraySlice<UInt8>, String) throws -> Void) throws {
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = Glibc.read(part.descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw StartFault("\(folder)/\(part.name): \(String(cString: strerror(errno)))") }
            if count == 0 { return }
            rest += buffer[..<count]
            var start = 0
            while let end = rest[start...].firstIndex(of: UInt8(ascii: "\n")) {
                line += 1
                if !isSkipping { try take(rest[start..<end], "\(part.name) line \(line)") }
                isSkipping = false
                start = end + 1
            }
            rest.removeFirst(start)
            if rest.count > AuditLogCheck.lineLimit {
                // No line of ours: handed over as what it begins with, which no seal covers.
                if !isSkipping { try take(rest[..<4_096], "\(part.name) line \(line + 1)") }
                isSkipping = true
                rest = []
            }
        }
    }
}
