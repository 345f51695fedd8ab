import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Between NIO's frame codec and the body parts of a request: checks what NIO leaves to others (RFC 6455, 5.1 and 5.2).
final class WebSocketFrameBridge: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = WebSocketFrame

    /// Nothing more is read after a frame that can't be.
    private var hasFailed = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasFailed else { return }
        let frame = Self.unwrapInboundIn(data)
        // A client masks everything: a proxy on the way could be made to take unmasked bytes for a request (10.3).
        guard frame.maskKey != nil, !frame.rsv1, !frame.rsv2, !frame.rsv3,
            let opcode = WebSocketPart.Opcode(rawValue: UInt8(webSocketOpcode: frame.opcode))
        else { return fail(.protocolError, context) }
        let part = WebSocketPart(opcode, frame.unmaskedData, isLast: frame.fin)
        context.fireChannelRead(Self.wrapInboundOut(.body(part.bytes)))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOWebSocketError.invalidFrameLength: fail(.tooLarge, context)
        case is NIOWebSocketError: fail(.protocolError, context)
        // The decoder says again that it reads nothing more.
        case _ where hasFailed: break
        default: context.fireErrorCaught(error)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch Self.unwrapOutboundIn(data) {
        case .body(.byteBuffer(let bytes)):
            guard let part = WebSocketPart(bytes) else {
                promise?.fail(ChannelError.inappropriateOperationForState)
                return
            }
            let frame = WebSocketFrame(
                fin: part.isLast, opcode: WebSocketOpcode(encodedWebSocketOpcode: part.opcode.rawValue) ?? .binary,
                data: part.payload)
            context.write(Self.wrapOutboundOut(frame), promise: promise)
        // The end of an answer is no frame: the upgrade handler closes.
        case .body, .head, .end: promise?.succeed()
        }
    }

    /// Tells the session, which says the last words and ends.
    private func fail(_ close: WebSocketClose, _ context: ChannelHandlerContext) {
        guard !hasFailed else { return }
        hasFailed = true
        context.fireErrorCaught(close)
    }
}
