import FoundationEssentials
import GateModel
import GateWire
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
import Synchronization

/// Why a stream ended: the code and words of the gateway's close frame (RFC 6455, 7.4), or 1006 without one.
public struct StreamClose: Sendable, Hashable {
    public let code: UInt16
    public let reason: String

    static let lost = Self(code: 1006, reason: "the connection was lost")
}

extension GatewayClient {
    /// A message may be so large.
    static let messageLimit = 1 << 20
    /// The gateway pings every 20 s; one that isn't heard for so long is gone.
    static let silence = Duration.seconds(90)

    /// Follows the audit trail from behind `after` (`MICROSECONDS~ID` of an event), or from now on, until the stream ends.
    /// Events may come twice around `after`: their id tells. `take` says whether to go on.
    public func followAudit(
        after: String?, take: @escaping @Sendable (AuditEventBody) async -> Bool
    ) async throws(GatewayClientError) -> StreamClose {
        let ticket: TicketBody = try await send(
            .post, APIPath.webSocketTicket, body: TicketRequest(endpoint: APIPath.auditStream))
        return try await stream(
            APIPath.auditStream + (after.map { "?after=\(percentEncoded($0))" } ?? ""), ticket: Secret(ticket.ticket)
        ) { text in
            guard let event = try? JSONDecoder().decode(AuditEventBody.self, from: Data(text.utf8)) else {
                throw GatewayClientError.malformedAnswer(status: 101, "a message of the stream is no audit event")
            }
            return await take(event)
        }
    }

    /// One WebSocket, opened with a ticket; returns when it ends.
    private func stream(
        _ path: String, ticket: Secret<String>,
        take: @escaping @Sendable (String) async throws -> Bool
    ) async throws(GatewayClientError) -> StreamClose {
        do {
            switch try await connect(path, ticket: ticket) {
            case .refused(let channel):
                return try await channel.executeThenClose { inbound, _ in throw try await Self.refusal(inbound) }
            case .open(let channel):
                return try await channel.executeThenClose { inbound, outbound in
                    try await Self.exchange(channel.channel, inbound, outbound, take: take)
                }
            }
        } catch let error as GatewayClientError {
            throw error
        } catch {
            throw .unreachable("\(endpoint) \(Self.reason(error))")
        }
    }

    private typealias Frames = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>
    private typealias Parts = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

    private enum Opening: Sendable {
        case open(Frames)
        case refused(Parts)
    }

    private func connect(_ path: String, ticket: Secret<String>) async throws -> Opening {
        let (host, prefix): (String, String)
        switch endpoint.transport {
        case .url(let url):
            let name = url.host.contains(":") ? "[\(url.host)]" : url.host
            (host, prefix) = (url.port == (url.scheme == .https ? 443 : 80) ? name : "\(name):\(url.port)", url.prefix)
        case .unixSocket(_, let url): (host, prefix) = ("localhost", url?.prefix ?? "")
        }
        var headers = HTTPHeaders([
            ("Host", host), ("Content-Length", "0"), ("User-Agent", "tidegate/\(TidegateVersion.text)"),
            (
                "Sec-WebSocket-Protocol",
                "\(StreamProtocol.name), \(StreamProtocol.ticketPrefix)\(ticket.reveal())"
            ),
        ])
        // admin.sock asks for its secret with every request; elsewhere the ticket is all.
        if case .unixSocket(_, nil) = endpoint.transport, let credential {
            headers.add(name: "Authorization", value: "Bearer \(credential.reveal())")
        }
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: prefix + path, headers: headers)
        let context = endpoint.usesTLS ? try NIOSSLContext(configuration: tls) : nil
        let name = serverName
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.nanoseconds(timeout.connect.wholeMicroseconds * 1_000))
        @Sendable func initialise(_ channel: any Channel) -> EventLoopFuture<EventLoopFuture<Opening>> {
            channel.eventLoop.makeCompletedFuture {
                let pipeline = channel.pipeline.syncOperations
                if let context { try pipeline.addHandler(NIOSSLClientHandler(context: context, serverHostname: name)) }
                let upgrader = NIOTypedWebSocketClientUpgrader<Opening>(maxFrameSize: Self.messageLimit) { channel, _ in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOWebSocketFrameAggregator(
                                minNonFinalFragmentSize: 1, maxAccumulatedFrameCount: 1_024,
                                maxAccumulatedFrameSize: Self.messageLimit))
                        return .open(try Frames(wrappingChannelSynchronously: channel))
                    }
                }
                var configuration = NIOUpgradableHTTPClientPipelineConfiguration<Opening>(
                    upgradeConfiguration: .init(upgradeRequestHead: head, upgraders: [upgrader]) { channel in
                        channel.eventLoop.makeCompletedFuture {
                            .refused(try Parts(wrappingChannelSynchronously: channel))
                        }
                    })
                // The first frames may come in one piece with the 101.
                configuration.leftOverBytesStrategy = .forwardBytes
                return try pipeline.configureUpgradableHTTPClientPipeline(configuration: configuration)
            }
        }
        let opening: EventLoopFuture<Opening> =
            switch endpoint.transport {
            case .url(let url):
                try await bootstrap.connect(host: url.host, port: url.port, channelInitializer: initialise)
            case .unixSocket(let path, _):
                try await bootstrap.connect(unixDomainSocketPath: path, channelInitializer: initialise)
            }
        return try await opening.get()
    }

    /// The name the certificate has to show; nil for an address, which is compared as it is.
    private var serverName: String? {
        guard case .url(let url) = endpoint.transport, (try? SocketAddress(ipAddress: url.host, port: 0)) == nil else {
            return nil
        }
        return url.host
    }

    /// What the answer says that came in place of a 101.
    private static func refusal(
        _ inbound: NIOAsyncChannelInboundStream<HTTPClientResponsePart>
    ) async throws -> GatewayClientError {
        var head: HTTPResponseHead?
        var body = ByteBuffer()
        for try await part in inbound {
            switch part {
            case .head(let received): head = received
            case .body(var bytes):
                body.writeBuffer(&bytes)
                guard body.readableBytes <= 65_536 else {
                    return .malformedAnswer(status: 0, "the answer to a WebSocket is too large")
                }
            case .end: break
            }
            if case .end = part { break }
        }
        guard let head else { return .unreachable("the gateway closed the connection") }
        _ = try AnswerReading.read(status: Int(head.status.code), headers: head.headers, body: body)
        return .malformedAnswer(status: Int(head.status.code), "the gateway opened no WebSocket")
    }

    private static func exchange(
        _ channel: any Channel, _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>,
        _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>,
        take: @escaping @Sendable (String) async throws -> Bool
    ) async throws -> StreamClose {
        let heard = LastHeard()
        return try await withThrowingTaskGroup(of: StreamClose.self) { group in
            group.addTask {
                while true {
                    try await Task.sleep(for: .seconds(10))
                    guard heard.ago < silence else {
                        channel.close(promise: nil)
                        return .lost
                    }
                }
            }
            group.addTask {
                for try await frame in inbound {
                    heard.note()
                    switch frame.opcode {
                    case .text:
                        guard try await take(String(buffer: frame.unmaskedData)) else {
                            try await outbound.write(closing(1000))
                            return StreamClose(code: 1000, reason: "")
                        }
                    case .ping:
                        try await outbound.write(
                            WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: frame.unmaskedData))
                    case .connectionClose:
                        var data = frame.unmaskedData
                        let code = data.readInteger(as: UInt16.self) ?? 1005
                        try? await outbound.write(closing(code == 1005 ? 1000 : code))
                        return StreamClose(code: code, reason: String(buffer: data))
                    default: continue
                    }
                }
                return .lost
            }
            defer { group.cancelAll() }
            return try await group.next() ?? .lost
        }
    }

    private static func closing(_ code: UInt16) -> WebSocketFrame {
        var data = ByteBuffer()
        data.writeInteger(code)
        return WebSocketFrame(fin: true, opcode: .connectionClose, maskKey: .random(), data: data)
    }
}

/// When the other end was heard last.
private final class LastHeard: Sendable {
    private let at = Mutex(ContinuousClock.now)

    func note() { at.withLock { $0 = .now } }
    var ago: Duration { at.withLock { $0.duration(to: .now) } }
}
