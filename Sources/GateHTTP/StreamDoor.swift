import GateControl
import GateModel
import GateWebSocket
import GateWire
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOHTTPTypes
import ServiceLifecycle

/// Where a WebSocket is let in: the handshake, the page it comes from, its ticket; then it lasts until its peer, its
/// credential or the gateway ends it.
struct StreamDoor {
    let tickets: TicketService
    let origin: String

    /// Answers 101 and runs `serve` until it returns, or refuses before anything is upgraded. Messages of the peer aren't
    /// taken: there is nothing to say but control frames.
    func open(
        _ request: Request, _ context: GateContext, at endpoint: WebSocketTicket.Endpoint,
        serve: @escaping @Sendable (WebSocketSender, Principal) async throws -> Void
    ) async throws -> Response {
        let offer = try StreamOffer(request, origin: origin)
        // A token here would be one that a browser, or a log on the way, has got hold of. admin.sock asks for its secret
        // whatever the request is.
        let listener = context.principal?.vouchedFor
        guard listener != nil || request.headers[.authorization] == nil else {
            throw Problem(.unauthenticated, "A WebSocket is opened by a ticket, not by a token.")
        }
        let stream = try await tickets.redeem(offer.ticket, at: endpoint, listener: listener, source: context.source)
        let (channel, logger, parts) = (context.channel, context.logger, request.body)
        let session = WebSocketSession(
            write: { bytes in try await channel.writeAndFlush(HTTPResponsePart.body(bytes)) },
            cut: { channel.close(promise: nil) })
        return Response(
            status: .switchingProtocols, headers: offer.handshake.answer(speaking: StreamProtocol.name),
            body: ResponseBody { writer in
                let close = await session.run(
                    parts, stop: { await Self.end(of: stream) },
                    receive: { _ in throw WebSocketClose.unsupportedData },
                    serve: { sender in
                        do {
                            try await serve(sender, stream.principal)
                        } catch let error where !(error is CancellationError || error is ChannelError) {
                            logger.warning("a stream ended early", metadata: ["error": "\(String(reflecting: error))"])
                            throw error
                        }
                        return .normal
                    })
                logger.info(
                    "stream closed",
                    metadata: ["gate.close": "\(close.code)", "gate.principal": "\(stream.principal.text)"])
                try await writer.finish(nil)
            })
    }

    /// Returns when the stream has to end for a reason of ours.
    private static func end(of stream: LiveStream) async -> WebSocketClose {
        await withTaskGroup(of: WebSocketClose.self) { group in
            group.addTask {
                for await end in stream.ends {
                    switch end {
                    case .revoked: return WebSocketClose(4401, "the credential was changed or taken away")
                    case .expired: return WebSocketClose(4401, "the credential has expired")
                    }
                }
                return .goingAway
            }
            group.addTask {
                try? await gracefulShutdown()
                return .goingAway
            }
            let first = await group.next() ?? .goingAway
            group.cancelAll()
            return first
        }
    }
}

extension Principal {
    /// Whom the listener itself vouches for, whatever credential there is: the operator, on admin.sock.
    fileprivate var vouchedFor: Principal? {
        if case .localAdministrator = self { self } else { nil }
    }
}
