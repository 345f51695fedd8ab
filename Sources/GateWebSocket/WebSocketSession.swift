public import NIOCore

/// One WebSocket from its 101 to its end: keeps it alive, answers its control frames and says why it ends. What is sent
/// and what messages mean is the caller's.
public struct WebSocketSession: Sendable {
    public struct Limits: Sendable {
        /// Bytes of a whole message.
        public var message = 4_096
        public var pingInterval = Duration.seconds(20)
        /// A peer that wasn't heard for so long is gone.
        public var silence = Duration.seconds(60)
        /// A peer that doesn't read for so long is cut off.
        public var stall = Duration.seconds(30)
        /// How long the last words may take to leave.
        public var lastWords = Duration.milliseconds(300)

        public init() {}
    }

    private let limits: Limits
    private let write: @Sendable (ByteBuffer) async throws -> Void
    private let cut: @Sendable () -> Void

    /// `write` sends one body part and returns when it has left; `cut` closes the connection at once, which fails writes
    /// that wait.
    public init(
        limits: Limits = Limits(), write: @escaping @Sendable (ByteBuffer) async throws -> Void,
        cut: @escaping @Sendable () -> Void
    ) {
        self.limits = limits
        self.write = write
        self.cut = cut
    }

    /// Runs until the peer closes or is gone, `serve` or `stop` answers, or a message isn't taken; whichever is first.
    /// `parts` are the request's body parts. Returns why it ended.
    @discardableResult
    public func run<Parts: AsyncSequence & Sendable>(
        _ parts: Parts,
        stop: @escaping @Sendable () async -> WebSocketClose,
        receive: @escaping @Sendable (WebSocketMessage) async throws -> Void,
        serve: @escaping @Sendable (WebSocketSender) async throws -> WebSocketClose
    ) async -> WebSocketClose where Parts.Element == ByteBuffer {
        let watch = PeerWatch()
        let sender = WebSocketSender(write: write, watch: watch)
        return await withTaskGroup(of: Ending.self) { group in
            group.addTask { await Self.ending { try await listen(to: parts, sender, watch, receive) } }
            group.addTask { await Self.ending { .ours(try await serve(sender)) } }
            group.addTask { .ours(await stop()) }
            group.addTask { await Self.ending { try await keepAlive(sender, watch) } }
            let ending = await group.next() ?? .gone
            group.cancelAll()
            await sayLastWords(ending, sender)
            return ending.close
        }
    }

    private enum Ending: Sendable {
        /// We end it and say why.
        case ours(WebSocketClose)
        /// The peer said that it ends it.
        case theirs(WebSocketClose)
        /// There is nobody to say anything to.
        case gone

        /// 1006 is what RFC 6455, 7.1.5, calls a connection that ended without a word.
        var close: WebSocketClose {
            switch self {
            case .ours(let close), .theirs(let close): close
            case .gone: WebSocketClose(1006)
            }
        }
    }

    private static func ending(_ body: () async throws -> Ending) async -> Ending {
        do {
            return try await body()
        } catch let close as WebSocketClose {
            return .ours(close)
        } catch is ChannelError {
            return .gone
        } catch is CancellationError {
            return .gone
        } catch is IOError {
            return .gone
        } catch {
            return .ours(.internalError)
        }
    }

    private func listen<Parts: AsyncSequence>(
        to parts: Parts, _ sender: WebSocketSender, _ watch: PeerWatch,
        _ receive: (WebSocketMessage) async throws -> Void
    ) async throws -> Ending where Parts.Element == ByteBuffer {
        var assembly = WebSocketAssembly(maximumMessage: limits.message)
        for try await bytes in parts {
            watch.hear()
            guard let part = WebSocketPart(bytes) else { throw WebSocketClose.protocolError }
            switch try assembly.take(part) {
            case .more: continue
            case .message(let message): try await receive(message)
            // A peer that pings and doesn't read holds up its own pings alone.
            case .pong(let payload): try await sender.send(WebSocketPart(.pong, payload))
            case .closed(let close): return .theirs(close)
            }
        }
        return .gone
    }

    private func keepAlive(_ sender: WebSocketSender, _ watch: PeerWatch) async throws -> Ending {
        let step = min(limits.pingInterval, limits.stall) / 4
        var untilPing = limits.pingInterval
        var pings = 0
        while true {
            try await Task.sleep(for: step)
            guard watch.stalledFor < limits.stall else {
                cut()
                return .gone
            }
            // Silence counts only when somebody was asked: after a pause of this whole computer nobody was.
            if watch.silentFor < limits.pingInterval { pings = 0 }
            guard watch.silentFor < limits.silence || pings == 0 else { return .ours(.silent) }
            untilPing -= step
            // While something waits to be sent, a ping would only wait behind it.
            guard untilPing <= .zero, watch.stalledFor == .zero else { continue }
            untilPing = limits.pingInterval
            pings += 1
            try await sender.send(WebSocketPart(.ping))
        }
    }

    /// The close frame, or the answer to the peer's; a peer that doesn't take it is cut off.
    private func sayLastWords(_ ending: Ending, _ sender: WebSocketSender) async {
        let close: WebSocketClose
        switch ending {
        case .ours(let ours): close = ours
        case .theirs(let theirs): close = WebSocketClose(theirs.code)
        case .gone:
            cut()
            return
        }
        await withTaskGroup { group in
            group.addTask { try? await sender.send(WebSocketPart(.close, close.payload)) }
            group.addTask { [cut, limits] in
                guard (try? await Task.sleep(for: limits.lastWords)) != nil else { return }
                cut()
            }
            await group.next()
            group.cancelAll()
        }
    }
}
