import GateWebSocket
import NIOCore
import Synchronization
import Testing

/// A session whose peer is the test: parts go in by hand, parts that come out are kept.
private final class Peer: Sendable {
    let parts: AsyncStream<ByteBuffer>
    private let send: AsyncStream<ByteBuffer>.Continuation
    let received: AsyncStream<[UInt8]>
    private let receive: AsyncStream<[UInt8]>.Continuation
    /// Held: nothing that is sent leaves.
    let isStuck = Mutex(false)
    let wasCut = Mutex(false)

    init() {
        (parts, send) = AsyncStream.makeStream()
        (received, receive) = AsyncStream.makeStream()
    }

    func say(_ part: [UInt8]) { send.yield(ByteBuffer(bytes: part)) }
    func hangUp() { send.finish() }

    func session(_ limits: WebSocketSession.Limits = .init()) -> WebSocketSession {
        WebSocketSession(
            limits: limits,
            write: { bytes in
                while self.isStuck.withLock({ $0 }) {
                    if self.wasCut.withLock({ $0 }) { throw ChannelError.ioOnClosedChannel }
                    await Task.yield()
                }
                self.receive.yield(Array(bytes.readableBytesView))
            },
            cut: { self.wasCut.withLock { $0 = true } })
    }
}

@Suite struct SessionTests {
    private let never: @Sendable () async -> WebSocketClose = {
        for await _ in AsyncStream<Void>.makeStream().stream {}
        return .goingAway
    }

    private func waiting(_: WebSocketSender) async throws -> WebSocketClose {
        for await _ in AsyncStream<Void>.makeStream().stream {}
        throw CancellationError()
    }

    @Test func `a ping is answered with its own words, a close with its code`() async {
        let peer = Peer()
        peer.say([0x89, 1, 2, 3])
        peer.say([0x8A])
        peer.say([0x88, 0x03, 0xE8])
        let close = await peer.session().run(
            peer.parts, stop: never, receive: { _ in }, serve: { try await waiting($0) })
        #expect(close.code == 1000)
        var received = peer.received.makeAsyncIterator()
        #expect(await received.next() == [0x8A, 1, 2, 3])
        #expect(await received.next() == [0x88, 0x03, 0xE8])
    }

    @Test func `a message comes whole, whatever its pieces and the pings between them`() async {
        let peer = Peer()
        for part: [UInt8] in [
            [0x01, 0xE2], [0x89], [0x00, 0x82], [0x80, 0xAC], [0x82, 9], [0x88],
        ] { peer.say(part) }
        let messages = Mutex<[WebSocketMessage]>([])
        await peer.session().run(
            peer.parts, stop: never, receive: { message in messages.withLock { $0.append(message) } },
            serve: { try await waiting($0) })
        #expect(messages.withLock { $0 } == [.text("€"), .binary(ByteBuffer(bytes: [9]))])
    }

    @Test(
        arguments: [
            ("text that is no UTF-8", [[0x81, 0xFF]], 1007),
            ("half a character", [[0x01, 0xE2], [0x80, 0x82]], 1007),
            ("a continuation of nothing", [[0x80, 1]], 1002), ("two messages in one", [[0x01, 1], [0x01, 1]], 1002),
            ("a close of one byte", [[0x88, 3]], 1002), ("a close code nobody may send", [[0x88, 0x03, 0xEE]], 1002),
            ("a close whose reason is no UTF-8", [[0x88, 0x03, 0xE8, 0xFF]], 1002),
            (
                "too much in pieces",
                [[0x02] + Array(repeating: 0, count: 4_000), [0x80] + Array(repeating: 0, count: 97)], 1009
            ),
        ] as [(String, [[UInt8]], UInt16)])
    func `what can't be meant closes with the code for it`(what: String, parts: [[UInt8]], code: UInt16) async {
        let peer = Peer()
        for part in parts { peer.say(part) }
        let close = await peer.session().run(
            peer.parts, stop: never, receive: { _ in }, serve: { try await waiting($0) })
        #expect(close.code == code, "\(what)")
        var last: [UInt8]?
        var received = peer.received.makeAsyncIterator()
        last = await received.next()
        #expect(last?.prefix(3) == [0x88, UInt8(code >> 8), UInt8(code & 0xFF)], "\(what)")
    }

    @Test func `a refused message, a stop and an end of serving say why`() async {
        let refused = Peer()
        refused.say([0x81, 0x61])
        #expect(
            await refused.session().run(
                refused.parts, stop: never, receive: { _ in throw WebSocketClose.unsupportedData },
                serve: { try await waiting($0) }
            ).code == 1003)
        let stopped = Peer()
        #expect(
            await stopped.session().run(
                stopped.parts, stop: { .goingAway }, receive: { _ in }, serve: { try await waiting($0) }) == .goingAway)
        let served = Peer()
        #expect(
            await served.session().run(
                served.parts, stop: never, receive: { _ in },
                serve: { sender in
                    try await sender.send(.text("hi"))
                    return .normal
                }) == .normal)
        var received = served.received.makeAsyncIterator()
        #expect(await received.next() == [0x81] + Array("hi".utf8))
        #expect(await received.next() == [0x88, 0x03, 0xE8])
    }

    @Test func `a fault of ours is told without its text`() async {
        struct Fault: Error { let secret = "s3cret" }
        let peer = Peer()
        let close = await peer.session().run(
            peer.parts, stop: never, receive: { _ in }, serve: { _ in throw Fault() })
        #expect(close == .internalError)
    }

    @Test func `a peer that hangs up without a word is cut off, not written to`() async {
        let peer = Peer()
        peer.hangUp()
        let close = await peer.session().run(
            peer.parts, stop: never, receive: { _ in }, serve: { try await waiting($0) })
        #expect(close.code == 1006)
        #expect(peer.wasCut.withLock { $0 })
    }

    @Test func `a silent peer is pinged, and closed when it says nothing`() async {
        let peer = Peer()
        var limits = WebSocketSession.Limits()
        (limits.pingInterval, limits.silence) = (.milliseconds(8), .milliseconds(60))
        let close = await peer.session(limits).run(
            peer.parts, stop: never, receive: { _ in }, serve: { try await waiting($0) })
        #expect(close.code == 4408)
        var received = peer.received.makeAsyncIterator()
        #expect(await received.next() == [0x89])
    }

    @Test func `a peer that doesn't read is cut off, also while it is told why it ends`() async {
        var limits = WebSocketSession.Limits()
        (limits.pingInterval, limits.silence) = (.seconds(60), .seconds(60))
        (limits.stall, limits.lastWords) = (.milliseconds(40), .milliseconds(40))
        let stalled = Peer()
        stalled.isStuck.withLock { $0 = true }
        let close = await stalled.session(limits).run(
            stalled.parts, stop: never, receive: { _ in },
            serve: { sender in
                try await sender.send(.text("hi"))
                return .normal
            })
        #expect(close.code == 1006)
        #expect(stalled.wasCut.withLock { $0 })
        let revoked = Peer()
        revoked.isStuck.withLock { $0 = true }
        limits.stall = .seconds(60)
        let end = await revoked.session(limits).run(
            revoked.parts, stop: { WebSocketClose(4401, "revoked") }, receive: { _ in },
            serve: { sender in
                try await sender.send(.text("hi"))
                return .normal
            })
        #expect(end.code == 4401)
        #expect(revoked.wasCut.withLock { $0 })
    }
}
