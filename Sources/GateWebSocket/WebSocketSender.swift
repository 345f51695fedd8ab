import NIOCore
import Synchronization

/// Sends to one WebSocket. A send returns when the bytes are on their way, so a peer that doesn't read holds up whoever
/// sends to it, and nobody else.
public struct WebSocketSender: Sendable {
    private let write: @Sendable (ByteBuffer) async throws -> Void
    private let watch: PeerWatch

    init(write: @escaping @Sendable (ByteBuffer) async throws -> Void, watch: PeerWatch) {
        self.write = write
        self.watch = watch
    }

    /// Throws when the connection is gone.
    public func send(_ message: WebSocketMessage) async throws {
        switch message {
        case .text(let text): try await send(WebSocketPart(.text, ByteBuffer(string: text)))
        case .binary(let bytes): try await send(WebSocketPart(.binary, bytes))
        }
    }

    func send(_ part: WebSocketPart) async throws {
        watch.beginSending()
        defer { watch.endSending() }
        try await write(part.bytes)
    }
}

/// Whether the peer is there: when it was heard last, and since when a send waits for it to read.
final class PeerWatch: Sendable {
    private struct State {
        var heard = ContinuousClock.now
        var waiting = 0
        var since = ContinuousClock.now
    }

    private let state = Mutex(State())

    func hear() { state.withLock { $0.heard = .now } }

    func beginSending() {
        state.withLock { state in
            if state.waiting == 0 { state.since = .now }
            state.waiting += 1
        }
    }

    /// One that ended is progress, also for those behind it.
    func endSending() {
        state.withLock { state in
            state.waiting -= 1
            state.since = .now
        }
    }

    var silentFor: Duration { state.withLock { $0.heard.duration(to: .now) } }
    var stalledFor: Duration { state.withLock { $0.waiting > 0 ? $0.since.duration(to: .now) : .zero } }
}
