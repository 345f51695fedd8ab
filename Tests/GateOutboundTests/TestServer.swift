import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A server that answers every request with the same bytes, remembers what it was sent, and may keep talking.
final class TestServer: Sendable {
    struct Seen: Sendable {
        var connections = 0
        var text = ""
    }

    let port: Int
    private let seenBox: SeenBox
    private let channel: any Channel

    final class SeenBox: Sendable {
        let value = Mutex(Seen())
    }

    /// Nil as `answer` says nothing at all; with `drips`, a byte follows every 20 ms for ever.
    init(
        _ answer: String?, host: String = "127.0.0.1", drips: Bool = false, tls: NIOSSLContext? = nil
    ) async throws {
        let box = SeenBox()
        seenBox = box
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.addHandler(Handler(answer: answer, drips: drips, box: box))
                }
            }
            .bind(host: host, port: 0).get()
        port = channel.localAddress?.port ?? 0
    }

    deinit { channel.close(promise: nil) }

    var seen: Seen { seenBox.value.withLock { $0 } }
    func close() async throws { try await channel.close() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let answer: String?
        private let drips: Bool
        private let box: SeenBox
        private var text = ""

        init(answer: String?, drips: Bool, box: SeenBox) {
            self.answer = answer
            self.drips = drips
            self.box = box
        }

        func channelActive(context: ChannelHandlerContext) { box.value.withLock { $0.connections += 1 } }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let part = String(buffer: unwrapInboundIn(data))
            text += part
            box.value.withLock { $0.text += part }
            guard let answer, text.contains("\r\n\r\n") else { return }
            text = ""
            context.writeAndFlush(NIOAny(ByteBuffer(string: answer)), promise: nil)
            guard drips else { return }
            let channel = context.channel
            context.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(20)) { task in
                guard channel.isActive else { return task.cancel() }
                channel.writeAndFlush(ByteBuffer(string: "x"), promise: nil)
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

func answer(_ status: String, _ body: String = "", headers: String = "") -> String {
    "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
}
