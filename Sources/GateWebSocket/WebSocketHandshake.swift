import Crypto
import FoundationEssentials
public import HTTPTypes

/// The head of a request that asks for a WebSocket (RFC 6455, 4.2.1), read and checked; whether it may have one is for
/// others to say.
public struct WebSocketHandshake: Sendable, Equatable {
    /// Why a head asks for none.
    public enum Refusal: Error, Sendable, Equatable {
        /// It asks for no upgrade to `websocket`, or for a version other than 13.
        case notAnUpgrade
        /// It asks for one with headers that can't be meant.
        case malformed
    }

    /// Subprotocols offered, in their order, without duplicates removed.
    public let subprotocols: [String]
    private let key: String

    public init(_ head: HTTPRequest) throws(Refusal) {
        let fields = head.headerFields
        guard head.method == .get, Self.tokens(fields, .upgrade).contains(where: { $0.lowercased() == "websocket" }),
            Self.tokens(fields, .connection).contains(where: { $0.lowercased() == "upgrade" }),
            fields[values: .secWebSocketVersion] == ["13"]
        else { throw .notAnUpgrade }
        let keys = fields[values: .secWebSocketKey]
        guard keys.count == 1, let bytes = Data(base64Encoded: keys[0]), bytes.count == 16 else { throw .malformed }
        // A request with a body would leave it to be read as frames.
        guard fields[.transferEncoding] == nil, fields[.contentLength] ?? "0" == "0" else { throw .malformed }
        key = keys[0]
        subprotocols = Self.tokens(fields, .secWebSocketProtocol)
        guard subprotocols.count <= 16, subprotocols.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(isTokenByte) })
        else {
            throw .malformed
        }
    }

    /// The headers of the 101 (RFC 6455, 4.2.2) that speaks `subprotocol`.
    public func answer(speaking subprotocol: String?) -> HTTPFields {
        var fields: HTTPFields = [.upgrade: "websocket", .connection: "Upgrade", .secWebSocketAccept: accept]
        if let subprotocol { fields[.secWebSocketProtocol] = subprotocol }
        return fields
    }

    /// SHA-1 is what the RFC says; it proves that this is no other protocol's server, and secures nothing.
    private var accept: String {
        let digest = Insecure.SHA1.hash(data: Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))
        return Data(digest).base64EncodedString()
    }

    /// The members of a comma-separated list (RFC 9110, 5.6.1), over all fields of that name.
    private static func tokens(_ fields: HTTPFields, _ name: HTTPField.Name) -> [String] {
        fields[values: name].flatMap { $0.split(separator: ",", omittingEmptySubsequences: false) }.map {
            String($0.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
        }
    }
}

/// A byte of a token (RFC 9110, 5.6.2).
private func isTokenByte(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        || "!#$%&'*+-.^_`|~".utf8.contains(byte)
}
