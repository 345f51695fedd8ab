import GateWebSocket
import NIOCore
import NIOEmbedded
import NIOHTTP1

/// The pipeline of one connection: bytes on one side, requests and answers on the other.
struct Dialogue {
    let channel = EmbeddedChannel()

    init(maximumFrameSize: Int = 4_096) throws {
        let encoder = HTTPResponseEncoder()
        let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes))
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandlers([encoder, decoder])
        try pipeline.addHandler(
            WebSocketUpgradeHandler(encoder: encoder, decoder: decoder, maximumFrameSize: maximumFrameSize))
        channel.connect(to: try SocketAddress(unixDomainSocketPath: "/test"), promise: nil)
    }

    static let upgrade = """
        GET /chat HTTP/1.1\r
        Host: gate.example\r
        Upgrade: websocket\r
        Connection: Upgrade\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
        Sec-WebSocket-Version: 13\r
        \r

        """

    func receive(_ text: String) throws { try receive(Array(text.utf8)) }

    func receive(_ bytes: [UInt8]) throws { try channel.writeInbound(ByteBuffer(bytes: bytes)) }

    /// What the application gets: heads by their path, bodies by their bytes, ends.
    func requests() throws -> [String] {
        var found: [String] = []
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head): found.append("head \(head.uri)")
            case .body(let bytes): found.append("body \(Array(bytes.readableBytesView))")
            case .end: found.append("end")
            }
        }
        return found
    }

    func answer(_ status: HTTPResponseStatus) throws {
        var headers: HTTPHeaders =
            status == .switchingProtocols ? ["Upgrade": "websocket", "Connection": "Upgrade"] : [:]
        if status != .switchingProtocols { headers.add(name: "Content-Length", value: "0") }
        try channel.writeOutbound(
            HTTPServerResponsePart.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers)))
        // The decoder goes in the loop's next turn.
        channel.embeddedEventLoop.run()
    }

    func send(_ part: [UInt8]) throws {
        try channel.writeOutbound(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: part))))
    }

    func end() throws { try channel.writeOutbound(HTTPServerResponsePart.end(nil)) }

    /// Bytes on the wire.
    func sent() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { bytes += Array(buffer.readableBytesView) }
        return bytes
    }
}

/// A client's frame with the mask 1, 2, 3, 4.
func frame(_ first: UInt8, _ payload: [UInt8], masked: Bool = true) -> [UInt8] {
    var bytes: [UInt8] = [first]
    let flag: UInt8 = masked ? 0x80 : 0
    switch payload.count {
    case ..<126: bytes.append(flag | UInt8(payload.count))
    case ..<65_536: bytes += [flag | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    default:
        bytes.append(flag | 127)
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: UInt64(payload.count) >> UInt64(shift)))
        }
    }
    guard masked else { return bytes + payload }
    let mask: [UInt8] = [1, 2, 3, 4]
    return bytes + mask + payload.enumerated().map { $0.element ^ mask[$0.offset % 4] }
}
