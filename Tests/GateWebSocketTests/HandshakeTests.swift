import GateWebSocket
import HTTPTypes
import Testing

@Suite struct HandshakeTests {
    /// The example of RFC 6455, 1.3.
    static func head(_ change: (inout HTTPRequest) -> Void = { _ in }) -> HTTPRequest {
        var head = HTTPRequest(method: .get, scheme: "http", authority: "gate.example", path: "/chat")
        head.headerFields = [
            .upgrade: "websocket", .connection: "Upgrade", .secWebSocketKey: "dGhlIHNhbXBsZSBub25jZQ==",
            .secWebSocketVersion: "13",
        ]
        change(&head)
        return head
    }

    @Test func `the example of the RFC is answered as there`() throws {
        let answer = try WebSocketHandshake(Self.head()).answer(speaking: nil)
        #expect(answer[.secWebSocketAccept] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(answer[.upgrade] == "websocket")
        #expect(answer[.connection] == "Upgrade")
        #expect(answer[.secWebSocketProtocol] == nil)
    }

    @Test func `lists may be in one field or in several, in any case, with blanks`() throws {
        let handshake = try WebSocketHandshake(
            Self.head {
                $0.headerFields[.connection] = "keep-alive, UPGRADE"
                $0.headerFields[.upgrade] = "h2c , WebSocket"
                $0.headerFields[values: .secWebSocketProtocol] = ["a.v1 ,\tb", "c"]
            })
        #expect(handshake.subprotocols == ["a.v1", "b", "c"])
        #expect(handshake.answer(speaking: "b")[.secWebSocketProtocol] == "b")
    }

    @Test(
        arguments: [
            ("Upgrade", []), ("Upgrade", ["h2c"]), ("Connection", []), ("Connection", ["keep-alive"]),
            ("Sec-WebSocket-Version", []), ("Sec-WebSocket-Version", ["8"]), ("Sec-WebSocket-Version", ["13", "13"]),
        ] as [(String, [String])])
    func `what asks for no WebSocket is told to`(field: String, values: [String]) throws {
        let name = try #require(HTTPField.Name(field))
        #expect(throws: WebSocketHandshake.Refusal.notAnUpgrade, "\(field): \(values)") {
            try WebSocketHandshake(Self.head { $0.headerFields[values: name] = values })
        }
    }

    @Test func `only GET asks for one`() {
        #expect(throws: WebSocketHandshake.Refusal.notAnUpgrade) {
            try WebSocketHandshake(Self.head { $0.method = .post })
        }
    }

    @Test(
        arguments: [
            ("Sec-WebSocket-Key", []), ("Sec-WebSocket-Key", ["dGhlIHNhbXBsZSBub25jZQ==", "x"]),
            ("Sec-WebSocket-Key", ["dGhlIHNhbXBsZQ=="]), ("Sec-WebSocket-Key", ["!"]), ("Content-Length", ["5"]),
            ("Transfer-Encoding", ["chunked"]), ("Sec-WebSocket-Protocol", ["a,,b"]),
            ("Sec-WebSocket-Protocol", ["a b"]),
            ("Sec-WebSocket-Protocol", Array(repeating: "a", count: 17)),
        ] as [(String, [String])])
    func `headers that can't be meant are refused`(field: String, values: [String]) throws {
        let name = try #require(HTTPField.Name(field))
        #expect(throws: WebSocketHandshake.Refusal.malformed, "\(field): \(values)") {
            try WebSocketHandshake(Self.head { $0.headerFields[values: name] = values })
        }
    }
}
