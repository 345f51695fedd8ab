import NIOCore

/// One frame (RFC 6455, 5.2) as the request's and the answer's body carry it between the pipeline and the session: a byte
/// with FIN and opcode, then the unmasked payload. One body part is one frame.
struct WebSocketPart: Equatable, Sendable {
    enum Opcode: UInt8, Sendable {
        case continuation = 0
        case text = 1
        case binary = 2
        case close = 8
        case ping = 9
        case pong = 10
    }

    var isLast: Bool
    var opcode: Opcode
    var payload: ByteBuffer

    init(_ opcode: Opcode, _ payload: ByteBuffer = ByteBuffer(), isLast: Bool = true) {
        self.isLast = isLast
        self.opcode = opcode
        self.payload = payload
    }

    /// Nil for what no frame of ours looks like.
    init?(_ bytes: ByteBuffer) {
        var bytes = bytes
        guard let first: UInt8 = bytes.readInteger(), first & 0x70 == 0, let opcode = Opcode(rawValue: first & 0x0F)
        else { return nil }
        self.init(opcode, bytes, isLast: first & 0x80 != 0)
    }

    var bytes: ByteBuffer {
        var bytes = ByteBuffer()
        bytes.reserveCapacity(1 + payload.readableBytes)
        bytes.writeInteger((isLast ? 0x80 : 0) | opcode.rawValue)
        bytes.writeImmutableBuffer(payload)
        return bytes
    }
}
