import GateControl
import Glibc
import NIOCore
import NIOPosix
import NIOSSL

/// Sends batches to a syslog receiver over a connection that is kept, and made anew when it is gone.
///
/// Syslog has no answers: "sent" means that this host's kernel took it. A batch that fails is sent again as a whole, so a
/// receiver may see events twice; `seq` tells them apart.
actor SyslogSender {
    /// What relays have to take is 2 KiB, what they usually take 8; a datagram can't be longer than 64.
    private static let datagramLimit = 8_192
    private static let timeout = TimeAmount.seconds(5)

    private let address: SyslogAddress
    private let host: String
    private let trustRoots: String?
    private var channel: (any Channel)?

    /// `trustRoots`: certificates trusted beside the system's, for `tls://`.
    init(_ address: SyslogAddress, trustRoots: String?) {
        self.address = address
        self.trustRoots = trustRoots
        var name = [CChar](repeating: 0, count: 256)
        host =
            gethostname(&name, name.count - 1) == 0
            ? String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : ""
    }

    func deliver(_ batch: AuditBatch) async throws {
        let messages =
            batch.events.map { SyslogMessage.event($0, host: host) }
            + (batch.seal.map { [SyslogMessage.seal($0, host: host)] } ?? [])
        let channel = try await connected()
        do {
            for message in messages { try await send(message, over: channel) }
        } catch {
            self.channel = nil
            channel.close(promise: nil)
            throw StartFault("\(address.text): \(error)")
        }
    }

    private func send(_ message: String, over channel: any Channel) async throws {
        let bytes =
            switch address {
            case .udp, .unix: Array(SyslogMessage.shortened(message, to: Self.datagramLimit).utf8)
            case .tcp, .tls: SyslogMessage.framed(message)
            }
        let written = channel.eventLoop.makePromise(of: Void.self)
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: written)
        // A receiver that reads no more must not hold the trail for ever.
        let deadline = channel.eventLoop.scheduleTask(in: Self.timeout) { channel.close(promise: nil) }
        defer { deadline.cancel() }
        try await written.futureResult.get()
    }

    private func connected() async throws -> any Channel {
        if let channel, channel.isActive { return channel }
        channel = nil
        do {
            let fresh = try await connect()
            channel = fresh
            return fresh
        } catch {
            throw StartFault("\(address.text): \(error)")
        }
    }

    private func connect() async throws -> any Channel {
        let group = MultiThreadedEventLoopGroup.singleton
        let stream = ClientBootstrap(group: group).connectTimeout(Self.timeout)
        switch address {
        case .udp(let host, let port):
            let target = try await Self.resolved(host, port)
            return try await datagram().connect(to: target).get()
        case .unix(let path): return try await datagram().connect(unixDomainSocketPath: path).get()
        case .tcp(let host, let port): return try await stream.connect(host: host, port: port).get()
        case .tls(let host, let port):
            var configuration = TLSConfiguration.makeClientConfiguration()
            if let trustRoots { configuration.additionalTrustRoots = [.file(trustRoots)] }
            let context = try NIOSSLContext(configuration: configuration)
            let isLiteral = (try? SocketAddress(ipAddress: host, port: port)) != nil
            return try await stream.channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLClientHandler(context: context, serverHostname: isLiteral ? nil : host))
                }
            }.connect(host: host, port: port).get()
        }
    }

    private func datagram() -> DatagramBootstrap {
        DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DatagramEnvelope())
                }
            }
    }

    /// The C library may wait for name servers: on a thread of its own pool.
    private static func resolved(_ host: String, _ port: Int) async throws -> SocketAddress {
        try await NIOThreadPool.singleton.runIfActive {
            try SocketAddress.makeAddressResolvingHost(host, port: port)
        }
    }
}

/// A connected datagram socket takes envelopes with the address it is connected to.
private final class DatagramEnvelope: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard let address = context.remoteAddress else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        context.write(
            wrapOutboundOut(AddressedEnvelope(remoteAddress: address, data: unwrapOutboundIn(data))), promise: promise)
    }
}
