import HTTPTypes
import NIOCore
import NIOHTTPTypes

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
        var body: TimeAmount = .seconds(30)
        /// What is left of a body after its answer is read and thrown away for this long.
        var drain: TimeAmount = .seconds(2)
    }

    private let limits: Limits
    private var timer: Scheduled<Void>?
    private var isReadingBody = false
    private var isAnswered = true
    private var closesAfterAnswer = false

    init(limits: Limits = Limits()) { self.limits = limits }

    func handlerAdded(context: ChannelHandlerContext) { start(limits.head, context) }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
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
            start(limits.keepAlive, context)
        }
    }

    private func start(_ amount: TimeAmount, _ context: ChannelHandlerContext) {
        timer?.cancel()
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: amount) { bound.value.close(promise: nil) }
    }
}
