import GateWebSocket
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOSSL

/// One connection's pipeline: TLS with the certificate of the moment, HTTP/1.1, WebSockets where a route agrees to one,
/// and the limits on time. Hummingbird's own HTTP/1.1 channel has no place for an upgrade.
struct ConnectionChannel: ServerChildChannel, HTTPChannelHandler {
    /// A client has little to say on a WebSocket.
    static let maximumFrameSize = 4_096

    let responder: HTTPChannelHandler.Responder
    let connections: OpenConnections
    let tls: TLSIdentity?

    func setup(
        channel: any Channel, logger: Logger
    ) -> EventLoopFuture<NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>> {
        channel.eventLoop.makeCompletedFuture {
            var limits = NIOHTTPDecoderLimitConfiguration()
            // Ours is 8 KiB, answered 431; this one only bounds what is read to find that out.
            limits.maxHeaderFieldSize = 64 * 1_024
            limits.maxHeaderListSize = 64 * 1_024
            limits.maxHeaderFieldCount = 16_384
            let encoder = HTTPResponseEncoder()
            let decoder = ByteToMessageHandler(
                HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits))
            let pipeline = channel.pipeline.syncOperations
            if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls.current)) }
            try pipeline.addHandlers([encoder, decoder])
            try pipeline.addHandler(
                WebSocketUpgradeHandler(
                    encoder: encoder, decoder: decoder, maximumFrameSize: Self.maximumFrameSize))
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            try pipeline.addHandler(RequestDeadlines(connections: connections))
            try pipeline.addHandler(HTTPConnectionStateHandler(logger: logger))
            return try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    func handle(value: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}
