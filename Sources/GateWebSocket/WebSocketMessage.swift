public import NIOCore

/// What a peer sent: one message, whole (RFC 6455, 5.6).
public enum WebSocketMessage: Sendable, Equatable {
    case text(String)
    case binary(ByteBuffer)
}

/// Puts frames together to messages. It decides; the session acts.
struct WebSocketAssembly {
    enum Step: Equatable {
        /// Nothing to do.
        case more
        case message(WebSocketMessage)
        /// Answer with the same payload.
        case pong(ByteBuffer)
        /// The peer closes.
        case closed(WebSocketClose)
    }

    private let maximumMessage: Int
    private var begun: (opcode: WebSocketPart.Opcode, payload: ByteBuffer)?

    init(maximumMessage: Int) { self.maximumMessage = maximumMessage }

    mutating func take(_ part: WebSocketPart) throws(WebSocketClose) -> Step {
        switch (part.opcode, begun) {
        case (.ping, _): return .pong(part.payload)
        case (.pong, _): return .more
        case (.close, _):
            guard let close = WebSocketClose(payload: part.payload) else { throw .protocolError }
            return .closed(close)
        case (.continuation, nil), (.text, .some), (.binary, .some): throw .protocolError
        case (.continuation, .some(var message)):
            guard message.payload.readableBytes + part.payload.readableBytes <= maximumMessage else { throw .tooLarge }
            message.payload.writeImmutableBuffer(part.payload)
            begun = part.isLast ? nil : message
            return part.isLast ? .message(try Self.message(message.opcode, message.payload)) : .more
        case (.text, nil), (.binary, nil):
            guard part.payload.readableBytes <= maximumMessage else { throw .tooLarge }
            if part.isLast { return .message(try Self.message(part.opcode, part.payload)) }
            begun = (part.opcode, part.payload)
            return .more
        }
    }

    private static func message(
        _ opcode: WebSocketPart.Opcode, _ payload: ByteBuffer
    ) throws(WebSocketClose) -> WebSocketMessage {
        guard opcode == .text else { return .binary(payload) }
        guard
            let text = try? payload.getUTF8ValidatedString(at: payload.readerIndex, length: payload.readableBytes)
        else { throw .notText }
        return .text(text)
    }
}
