import NIOCore

/// Why a WebSocket ends (RFC 6455, 7.4): a code, and words for a person that hold no secret.
public struct WebSocketClose: Error, Sendable, Hashable {
    public let code: UInt16
    public let reason: String

    public init(_ code: UInt16, _ reason: String = "") {
        self.code = code
        self.reason = reason
    }

    public static let normal = Self(1000)
    public static let goingAway = Self(1001, "the server stops; come back in a moment")
    public static let unsupportedData = Self(1003, "nothing is read here")
    public static let internalError = Self(1011, "something went wrong on our side")
    static let protocolError = Self(1002, "a frame is not as it has to be")
    static let notText = Self(1007, "text that is no UTF-8")
    static let tooLarge = Self(1009, "a message is too large")
    /// Codes from 4000 on are an application's own.
    static let silent = Self(4408, "nothing was heard")

    /// The payload of a close frame: the code, and at most 123 bytes of reason.
    var payload: ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeInteger(code)
        var reason = self.reason
        while reason.utf8.count > 123 { reason.removeLast() }
        bytes.writeString(reason)
        return bytes
    }

    /// What a peer's close frame says. Nil for one that is malformed: a single byte, a code nobody may send (7.4.1), or a
    /// reason that is no UTF-8.
    init?(payload: ByteBuffer) {
        guard payload.readableBytes > 0 else {
            self = .normal
            return
        }
        var payload = payload
        guard let code: UInt16 = payload.readInteger(),
            (1000...1003).contains(code) || (1007...1014).contains(code) || (3000...4999).contains(code),
            let reason = try? payload.readUTF8ValidatedString(length: payload.readableBytes)
        else { return nil }
        self.init(code, reason)
    }
}
