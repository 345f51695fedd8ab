public import NIOCore
public import NIOHTTP1
import NIOWebSocket

/// Lets any route of an HTTP/1.1 connection answer an upgrade request with 101 and go on in frames.
///
/// It sits right behind the decoder. The end of an upgrade request is held back until the answer's head is known: with
/// 101 the HTTP codec gives way to NIO's frame codec, and from then on body parts, in both directions, are frames
/// (`WebSocketPart`); the answer's end closes the connection. With any other answer the request just ends and the
/// connection closes behind it, since the decoder reads nothing more after a request that asked for an upgrade.
public final class WebSocketUpgradeHandler: ChannelDuplexHandler, RemovableChannelHandler {
    public typealias InboundIn = HTTPServerRequestPart
    public typealias InboundOut = HTTPServerRequestPart
    public typealias OutboundIn = HTTPServerResponsePart
    public typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        /// Left by the head of a request that asks for an upgrade.
        case http
        /// The request's end is held back. Left by the answer's head.
        case held
        /// The upgrade was refused, or can't be had. Left by the answer's end.
        case refused
        /// Frames flow. Left by the answer's end.
        case upgraded
        /// Everything was said. What still comes is thrown away, so that the last words aren't lost in a reset.
        case closing
    }

    /// How long a peer may take to close after everything was said.
    static let closingTime = TimeAmount.seconds(2)

    private let encoder: HTTPResponseEncoder
    private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    private let maximumFrameSize: Int
    private var state = State.http
    private var deadline: Scheduled<Void>?

    /// The codec that gives way. A frame with more than `maximumFrameSize` bytes of payload closes with 1009, unread.
    public init(
        encoder: HTTPResponseEncoder, decoder: ByteToMessageHandler<HTTPRequestDecoder>, maximumFrameSize: Int
    ) {
        self.encoder = encoder
        self.decoder = decoder
        self.maximumFrameSize = maximumFrameSize
    }

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard state != .closing else { return }
        switch Self.unwrapInboundIn(data) {
        case .head(let head) where Self.asksForUpgrade(head):
            let hasBody =
                head.headers.contains(name: "Transfer-Encoding")
                || head.headers[canonicalForm: "Content-Length"].contains { $0 != "0" }
            let isWebSocket = head.headers[canonicalForm: "Upgrade"].contains { $0.lowercased() == "websocket" }
            state = isWebSocket && head.method == .GET && !hasBody ? .held : .refused
            context.fireChannelRead(data)
        case .end where state == .held: break
        default: context.fireChannelRead(data)
        }
    }

    public func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if state == .closing { context.read() }
    }

    public func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch (state, Self.unwrapOutboundIn(data)) {
        case (.held, .head(let head)) where head.status == .switchingProtocols:
            state = .upgraded
            context.writeAndFlush(data, promise: promise)
            do { try speakFrames(context) } catch { context.close(promise: nil) }
        case (.held, .head(var head)), (.refused, .head(var head)):
            if state == .held { context.fireChannelRead(Self.wrapInboundOut(.end(nil))) }
            state = .refused
            head.headers.replaceOrAdd(name: "Connection", value: "close")
            context.write(Self.wrapOutboundOut(.head(head)), promise: promise)
        case (.refused, .end), (.upgraded, .end):
            context.writeAndFlush(data, promise: promise)
            finish(context)
        case (.closing, _): promise?.fail(ChannelError.ioOnClosedChannel)
        default: context.write(data, promise: promise)
        }
    }

    public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        context.fireUserInboundEventTriggered(event)
        guard let event = event as? ChannelEvent, event == .inputClosed else { return }
        switch state {
        case .upgraded: context.fireChannelRead(Self.wrapInboundOut(.end(nil)))
        case .closing: context.close(promise: nil)
        case .http, .held, .refused: break
        }
    }

    public func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    public func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

    private static func asksForUpgrade(_ head: HTTPRequestHead) -> Bool {
        head.headers[canonicalForm: "Connection"].contains { $0.lowercased() == "upgrade" }
            && head.headers.contains(name: "Upgrade")
    }

    /// Puts the frame codec where the HTTP codec was. What came behind the request is read as frames.
    private func speakFrames(_ context: ChannelHandlerContext) throws {
        let pipeline = context.pipeline.syncOperations
        try pipeline.addHandlers(
            [
                WebSocketFrameEncoder(), ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: maximumFrameSize)),
                WebSocketFrameBridge(),
            ], position: .before(self))
        pipeline.removeHandler(encoder, promise: nil)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        // The removal hands on what the decoder had read, but doesn't say that this was all.
        pipeline.removeHandler(decoder).assumeIsolated().whenComplete { _ in bound.value.fireChannelReadComplete() }
    }

    private func finish(_ context: ChannelHandlerContext) {
        state = .closing
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: Self.closingTime) { bound.value.close(promise: nil) }
        context.close(mode: .output, promise: nil)
        context.read()
    }
}
