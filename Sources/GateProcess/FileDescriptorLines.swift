import CGateSys
import Glibc
import Synchronization

/// Reads a pipe line by line on the module's one thread, and closes it at its end.
///
/// Lines longer than the bound are cut; the closure gets them without line break, malformed UTF-8 repaired, other
/// control characters as they came. It must not block: it holds up all other pipes.
public final class FileDescriptorLines: Sendable {
    private struct State {
        var token: EventThread.Token?
        var isClosed = false
        var splitter: LineSplitter
    }

    private let descriptor: Int32
    private let state: Mutex<State>
    private let onLine: @Sendable (String) -> Void
    private let onEnd: @Sendable () -> Void

    /// Takes the descriptor over. `onEnd` is called once, when the last writer has gone or after `stop`.
    public init(
        descriptor: Int32, maxLength: Int = 4096, onLine: @escaping @Sendable (String) -> Void,
        onEnd: @escaping @Sendable () -> Void = {}
    ) throws {
        self.descriptor = descriptor
        self.onLine = onLine
        self.onEnd = onEnd
        state = Mutex(State(splitter: LineSplitter(maxLength: maxLength)))
        let flags = fcntl(descriptor, F_GETFL)
        guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 else { throw SystemError("fcntl") }
        // The loop owns this object until the end: callers need not keep it.
        try state.withLock { state in
            state.token = try EventThread.shared.watch(descriptor, events: EPOLLIN.rawValue) { _, _ in self.readSome() }
        }
    }

    /// Stops reading, closes the descriptor and calls `onEnd`, unless that has happened.
    public func stop() {
        let last: String?? = state.withLock { state in
            guard !state.isClosed else { return nil }
            state.isClosed = true
            if let token = state.token { EventThread.shared.cancel(token) }
            close(descriptor)
            return .some(state.splitter.finish())
        }
        guard let last else { return }
        if let last { onLine(last) }
        onEnd()
    }

    /// One bounded read for each turn of the loop: a chatty child cannot starve the others.
    private func readSome() {
        var chunk = [UInt8](repeating: 0, count: 16384)
        var isAtEnd = false
        let lines: [String] = state.withLock { state in
            guard !state.isClosed else { return [] }
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EAGAIN || errno == EINTR { return [] }
            isAtEnd = count <= 0
            return state.splitter.feed(chunk.prefix(max(count, 0)))
        }
        for line in lines { onLine(line) }
        if isAtEnd { stop() }
    }
}

/// Cuts bytes into lines of bounded length.
package struct LineSplitter: Sendable {
    private let maxLength: Int
    private var line: [UInt8] = []

    package init(maxLength: Int) {
        self.maxLength = maxLength
    }

    package mutating func feed(_ bytes: some Sequence<UInt8>) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                lines.append(take())
            } else if line.count < maxLength {
                line.append(byte)
            }
        }
        return lines
    }

    /// What stood after the last line break, if anything.
    package mutating func finish() -> String? {
        line.isEmpty ? nil : take()
    }

    private mutating func take() -> String {
        // sshd ends the lines of its log with CR LF.
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        defer { line.removeAll(keepingCapacity: true) }
        return String(decoding: line, as: UTF8.self)
    }
}
