import FoundationEssentials
import GateControl
import GateHTTP
import GateModel
import GateStore
import GateWire
import Glibc
import Logging
import ServiceLifecycle
import Synchronization

/// Copies committed audit events to `audit/audit.jsonl`, a JSON object a line, oldest first. The file follows the store: a
/// line is there only when its fact is.
struct AuditLogFile: Service {
    static let rotationSize: Int64 = 64 << 20
    static let kept = 10
    static let batch = 500

    let audit: AuditService
    /// Who follows the trail hears of an event when it is in the file.
    let tail: AuditTail
    let folder: String
    let logger: Logger

    private var path: String { "\(folder)/audit.jsonl" }

    func run() async throws {
        // Not known yet what the file has: a gateway before this one may have died between writing and marking.
        let isSure = Mutex(false)
        try? await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let wasSure = isSure.withLock { $0 }
                let succeeded = await step(looks: !wasSure)
                isSure.withLock { $0 = succeeded }
                try await Task.sleep(for: .milliseconds(500))
            }
        }
        _ = await step(looks: true)
    }

    /// One pass; a failure is logged and tried again, nothing is lost by it. With `looks`, events that are in the file
    /// already are left out. Returns whether all that was written is marked.
    private func step(looks: Bool) async -> Bool {
        do {
            while true {
                let events = try await audit.unexported(limit: Self.batch)
                guard !events.isEmpty else { return true }
                let present = looks ? lastIdentifiers() : []
                let fresh = events.filter { !present.contains($0.event.id.text) }
                try append(fresh.map { AuditEventBody($0) })
                try await audit.markExported(events.map(\.event.id))
                tail.publish(events)
                // What has come meanwhile waits for the next pass: each costs a sync and a commit, which changes would wait for.
                guard events.count == Self.batch else { return true }
            }
        } catch is CancellationError {
            return false
        } catch {
            logger.warning("the audit log could not be written; it is tried again", metadata: ["error": "\(error)"])
            return false
        }
    }

    private func append(_ events: [AuditEventBody]) throws {
        guard !events.isEmpty else { return }
        try rotateIfLarge()
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var bytes: [UInt8] = []
        for event in events { bytes += try encoder.encode(event) + [UInt8(ascii: "\n")] }
        let file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw StartFault("\(path): \(String(cString: strerror(errno)))") }
        defer { close(file) }
        let start = lseek(file, 0, SEEK_END)
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                write(file, $0.baseAddress?.advanced(by: offset), bytes.count - offset)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let reason = String(cString: strerror(errno))
                // Half a line would be read as damage; take it back.
                ftruncate(file, start)
                throw StartFault("\(path): \(reason)")
            }
            offset += count
        }
        guard fdatasync(file) == 0 else { throw StartFault("\(path): \(String(cString: strerror(errno)))") }
    }

    private func rotateIfLarge() throws {
        var info = stat()
        guard stat(path, &info) == 0, info.st_size >= Self.rotationSize else { return }
        unlink("\(path).\(Self.kept)")
        for number in stride(from: Self.kept - 1, through: 1, by: -1) {
            rename("\(path).\(number)", "\(path).\(number + 1)")
        }
        rename(path, "\(path).1")
    }

    /// The ids in the last 512 KiB of the file.
    private func lastIdentifiers() -> Set<String> {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return [] }
        defer { close(file) }
        let size = lseek(file, 0, SEEK_END)
        lseek(file, max(0, size - 524_288), SEEK_SET)
        var bytes = [UInt8](repeating: 0, count: 524_288)
        let count = read(file, &bytes, bytes.count)
        guard count > 0 else { return [] }
        struct Identified: Decodable { let id: String }
        return Set(
            bytes[..<count].split(separator: UInt8(ascii: "\n")).compactMap {
                try? JSONDecoder().decode(Identified.self, from: Data($0)).id
            })
    }
}
