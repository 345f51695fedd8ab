public import GateControl
import GateModel
import GateProcess
import GateSSH
import Glibc
public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle
import Synchronization

/// Answers `tidegate-keys` on `keys.sock`: one line asked, one line answered, one second at most.
///
/// Who asks is taken from the kernel: the peer must run as the helper's user and its parent must be an sshd. The request's
/// own words about pids count for nothing.
public final class KeysSocket: Service {
    /// Which sshd the helper's parent must be.
    public enum Parent: Sendable {
        /// One that this gateway started.
        case started(SSHAcceptor)
        /// One of the system's, run by this user id.
        case system(uid: UInt32)
    }

    static let requestLimit = 512
    static let conversationLimit = 256
    /// Of those, how many may wait on purpose.
    static let slowRefusalLimit = 64

    private let paths: [String]
    private let groupID: UInt32?
    private let helperUID: UInt32
    private let settings: SSHDSettings
    private let parent: Parent
    private let lookup: KeyLookup
    private let journal: ConnectionJournal?
    private let logger: Logger
    private let pool = NIOThreadPool(numberOfThreads: 4)
    private let conversations = Mutex(0)
    private let slowRefusals = Mutex(0)

    /// `journal` notes each yes at once where no login line will follow: the system's sshd.
    public init(
        paths: [String], groupID: UInt32?, helperUID: UInt32, settings: SSHDSettings, parent: Parent, lookup: KeyLookup,
        journal: ConnectionJournal?, logger: Logger
    ) {
        self.paths = paths
        self.groupID = groupID
        self.helperUID = helperUID
        self.settings = settings
        self.parent = parent
        self.lookup = lookup
        self.journal = journal
        self.logger = logger
    }

    public func run() async throws {
        pool.start()
        var channels: [any Channel] = []
        do {
            for path in paths { channels.append(try await listen(path)) }
        } catch {
            try? await pool.shutdownGracefully()
            throw error
        }
        let all = channels
        let close: @Sendable () -> Void = { for channel in all { channel.close(promise: nil) } }
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                for channel in all { try? await channel.closeFuture.get() }
            } onGracefulShutdown: {
                close()
            }
        } onCancel: {
            close()
        }
        for path in paths { unlink(path) }
        try? await pool.shutdownGracefully()
    }

    private func listen(_ path: String) async throws -> any Channel {
        unlink(path)
        // No moment exists in which others could connect: the mode is set by the mask before the socket is there.
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 1_024)
            .childChannelOption(.autoRead, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Conversation(socket: self))
                }
            }
            .bind(unixDomainSocketPath: path).get()
        if let groupID { chown(path, uid_t.max, groupID) }
        chmod(path, groupID == nil ? 0o600 : 0o660)
        return channel
    }

    fileprivate func begin() -> Bool {
        conversations.withLock { count in
            guard count < Self.conversationLimit else { return false }
            count += 1
            return true
        }
    }

    fileprivate func end() { conversations.withLock { $0 -= 1 } }

    /// The answer to one request, `+LINE`, `-` (no such key) or `!` (could not ask).
    fileprivate func answer(_ request: String, peer: UnixSocketPeer, on loop: any EventLoop) -> EventLoopFuture<String>
    {
        let words = request.split(separator: " ")
        guard peer.uid == helperUID, words.count >= 3, words[0] == "lookup", words[1] == settings.loginUser,
            let fingerprint = SSHFingerprint(words[2]), let (process, source) = sshd(asking: peer.pid)
        else { return loop.makeSucceededFuture("-") }
        if let grant = lookup.remembered(fingerprint.rawValue, process: process, source: source) {
            return loop.makeSucceededFuture(line(grant, process: process, source: source))
        }
        return pool.runIfActive(eventLoop: loop) { [self] () -> String? in
            do {
                guard let grant = try lookup.grant(for: fingerprint.rawValue, process: process, source: source) else {
                    return lookup.isOutdated(fingerprint.rawValue) ? nil : "-"
                }
                return line(grant, process: process, source: source)
            } catch {
                return "!"
            }
        }.flatMap { answer in
            if let answer { return loop.makeSucceededFuture(answer) }
            return self.refuseSlowly(on: loop)
        }
    }

    /// The refusal of a key that was good once. Agents of ssh-tunnel-gateway see that they must register again only while
    /// their ssh has been running for a second: told "no" at once, they would dial in vain for ever.
    private func refuseSlowly(on loop: any EventLoop) -> EventLoopFuture<String> {
        let mayWait = slowRefusals.withLock { count in
            guard count < Self.slowRefusalLimit else { return false }
            count += 1
            return true
        }
        guard mayWait else { return loop.makeSucceededFuture("-") }
        return loop.scheduleTask(in: .milliseconds(850)) {
            self.slowRefusals.withLock { $0 -= 1 }
            return "-"
        }.futureResult
    }

    private func line(_ grant: KeyGrant, process: SSHProcess, source: String) -> String {
        do {
            guard let line = try settings.line(for: grant) else { return "-" }
            if let journal {
                journal.opened(process, grant: grant, source: source)
                lookup.loggedIn(grant, process: process)
            }
            return "+" + line
        } catch {
            logger.error(
                "a key line could not be written", metadata: ["error": "\(error)", "gate.key.id": "\(grant.key)"])
            return "!"
        }
    }

    /// The sshd that started the helper, read from /proc while the helper still waits for its answer.
    private func sshd(asking helper: Int32) -> (process: SSHProcess, source: String)? {
        guard let stat = ProcessStat(pid: helper) else { return nil }
        switch parent {
        case .started(let acceptor): return acceptor.connection(pid: stat.parent)
        case .system(let uid):
            // The effective user id is the helper's during the lookup; the real one is sshd's own.
            guard let sshd = ProcessIdentity(pid: stat.parent), isSSHDCommand(sshd.command), sshd.realUID == uid,
                sshd.leadsGroup, sshd.startTime <= stat.startTime
            else { return nil }
            // The system's sshd tells its helper no address before OpenSSH 9.4.
            return (SSHProcess(pid: sshd.pid, startTime: sshd.startTime), "sshd")
        }
    }
}

/// `struct ucred` of unix(7).
private struct PeerCredentials: Sendable {
    var pid: Int32 = 0
    var uid: UInt32 = 0
    var gid: UInt32 = 0
}

/// One request and its answer.
private final class Conversation: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let socket: KeysSocket
    private var received = ByteBuffer()
    private var isAnswering = false
    private var isCounted = false
    private var timer: Scheduled<Void>?

    init(socket: KeysSocket) { self.socket = socket }

    func channelActive(context: ChannelHandlerContext) {
        isCounted = socket.begin()
        guard isCounted else { return context.close(promise: nil) }
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: .seconds(1)) { bound.value.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        if isCounted { socket.end() }
        isCounted = false
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isAnswering else { return context.close(promise: nil) }
        var chunk = unwrapInboundIn(data)
        received.writeBuffer(&chunk)
        guard received.readableBytes <= KeysSocket.requestLimit else { return context.close(promise: nil) }
        guard let end = received.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) else { return }
        isAnswering = true
        let request = String(decoding: received.readableBytesView[..<end], as: UTF8.self)
        guard let options = context.channel as? any SocketOptionProvider else { return context.close(promise: nil) }
        let loop = context.eventLoop
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        let credentials: EventLoopFuture<PeerCredentials> = options.unsafeGetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED))
        credentials.flatMap { peer in
            bound.value.0.socket.answer(
                request, peer: UnixSocketPeer(pid: peer.pid, uid: peer.uid, gid: peer.gid), on: loop)
        }.whenComplete { result in
            let (handler, context) = bound.value
            let answer = (try? result.get()) ?? "!"
            context.writeAndFlush(handler.wrapOutboundOut(ByteBuffer(string: answer + "\n")))
                .whenComplete { _ in bound.value.1.close(promise: nil) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
