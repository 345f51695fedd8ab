import HTTPTypes
import NIOCore
import NIOHTTPTypes
import Synchronization

/// Closes connections that take too long to say what they want: half-open ones, slow headers, slow bodies, and ones that go
/// on sending after they were answered. Without it, two thousand silent connections would be two thousand descriptors for
/// as long as their owner likes.
final class RequestDeadlines: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    struct Limits: Sendable {
        /// From accept, or from the end of the last answer, to a whole head. Also bounds the TLS handshake.
        var head: TimeAmount = .seconds(8)
        var keepAlive: TimeAmount = .seconds(60)
        /// The same while few places are left: whoever has nothing to ask makes room for those who have.
        var crowdedKeepAlive: TimeAmount = .seconds(1)
        var body: TimeAmount = .seconds(30)
        /// What is left of a body after its answer is read and thrown away for this long.
        var drain: TimeAmount = .seconds(2)
    }

    private let limits: Limits
    private let connections: OpenConnections
    private var isCounted = false
    private var timer: Scheduled<Void>?
    private var isReadingBody = false
    private var isAnswered = true
    private var closesAfterAnswer = false

    init(limits: Limits = Limits(), connections: OpenConnections) {
        self.limits = limits
        self.connections = connections
    }

    func handlerAdded(context: ChannelHandlerContext) {
        connections.opened()
        isCounted = true
        start(limits.head, context)
    }

    func handlerRemoved(context: ChannelHandlerContext) { leave() }

    private func leave() {
        timer?.cancel()
        guard isCounted else { return }
        isCounted = false
        connections.closed()
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            isReadingBody = true
            isAnswered = false
            start(limits.body, context)
        case .body: break
        case .end:
            isReadingBody = false
            timer?.cancel()
            if isAnswered { finished(context) }
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head):
            if head.headerFields[.connection] == "close" { closesAfterAnswer = true }
            // A WebSocket lasts as long as its session says.
            if head.status == .switchingProtocols { timer?.cancel() }
        case .body: break
        case .end:
            isAnswered = true
            let promise = promise ?? context.eventLoop.makePromise(of: Void.self)
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            promise.futureResult.whenComplete { _ in
                let (handler, context) = bound.value
                handler.finished(context)
            }
            context.write(data, promise: promise)
            return
        }
        context.write(data, promise: promise)
    }

    private func finished(_ context: ChannelHandlerContext) {
        if isReadingBody {
            // Closing now would reset the connection under the answer; half a close and a short drain don't.
            start(limits.drain, context)
            if closesAfterAnswer { context.close(mode: .output, promise: nil) }
        } else if closesAfterAnswer {
            context.close(promise: nil)
        } else {
            start(connections.areCrowded ? limits.crowdedKeepAlive : limits.keepAlive, context)
        }
    }

    private func start(_ amount: TimeAmount, _ context: ChannelHandlerContext) {
        timer?.cancel()
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: amount) { bound.value.close(promise: nil) }
    }
}

/// How many connections one listener has.
final class OpenConnections: Sendable {
    private let count = Atomic(0)
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    func opened() { count.add(1, ordering: .relaxed) }
    func closed() { count.subtract(1, ordering: .relaxed) }

    /// Three quarters of the places are taken.
    var areCrowded: Bool { count.load(ordering: .relaxed) * 4 > limit * 3 }
}
