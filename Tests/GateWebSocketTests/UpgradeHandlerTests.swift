import GateWebSocket
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@Suite struct UpgradeHandlerTests {
    private func upgraded(maximumFrameSize: Int = 4_096) throws -> Dialogue {
        let dialogue = try Dialogue(maximumFrameSize: maximumFrameSize)
        try dialogue.receive(Dialogue.upgrade)
        #expect(try dialogue.requests() == ["head /chat"])
        try dialogue.answer(.switchingProtocols)
        #expect(String(decoding: try dialogue.sent(), as: UTF8.self).hasPrefix("HTTP/1.1 101 "))
        return dialogue
    }

    @Test func `after a 101 body parts are frames, both ways`() throws {
        let dialogue = try upgraded()
        try dialogue.receive(frame(0x81, Array("hi".utf8)))
        #expect(try dialogue.requests() == ["body [129, 104, 105]"])
        try dialogue.send([0x81] + Array("ok".utf8))
        #expect(try dialogue.sent() == [0x81, 2] + Array("ok".utf8))
    }

    @Test func `frames that came in one piece with the request aren't lost`() throws {
        let dialogue = try Dialogue()
        try dialogue.receive(Array(Dialogue.upgrade.utf8) + frame(0x89, [7]) + frame(0x81, [0x61]))
        #expect(try dialogue.requests() == ["head /chat"])
        try dialogue.answer(.switchingProtocols)
        #expect(try dialogue.requests() == ["body [137, 7]", "body [129, 97]"])
    }

    @Test func `an upgrade may come on a connection that has served requests`() throws {
        let dialogue = try Dialogue()
        try dialogue.receive("GET /first HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try dialogue.requests() == ["head /first", "end"])
        try dialogue.answer(.ok)
        try dialogue.end()
        _ = try dialogue.sent()
        try dialogue.receive(Dialogue.upgrade)
        #expect(try dialogue.requests() == ["head /chat"])
        try dialogue.answer(.switchingProtocols)
        try dialogue.receive(frame(0x8A, []))
        #expect(try dialogue.requests() == ["body [138]"])
    }

    @Test func `a refusal ends the request, says that the connection closes, and closes it`() throws {
        let dialogue = try Dialogue()
        try dialogue.receive(Dialogue.upgrade)
        #expect(try dialogue.requests() == ["head /chat"])
        try dialogue.answer(.forbidden)
        #expect(try dialogue.requests() == ["end"])
        try dialogue.end()
        let answer = String(decoding: try dialogue.sent(), as: UTF8.self)
        #expect(answer.hasPrefix("HTTP/1.1 403 "))
        #expect(answer.contains("Connection: close\r\n"))
        dialogue.channel.embeddedEventLoop.advanceTime(by: .seconds(3))
        #expect(!dialogue.channel.isActive)
    }

    @Test(arguments: [
        "Upgrade: h2c\r\nConnection: Upgrade\r\n", "Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 3\r\n",
    ])
    func `what can't become a WebSocket is a request like others, and the last one`(fields: String) throws {
        let dialogue = try Dialogue()
        try dialogue.receive("GET / HTTP/1.1\r\nHost: x\r\n\(fields)\r\nabc")
        #expect(try dialogue.requests().last == "end")
        try dialogue.answer(.ok)
        try dialogue.end()
        #expect(String(decoding: try dialogue.sent(), as: UTF8.self).contains("Connection: close\r\n"))
        dialogue.channel.embeddedEventLoop.advanceTime(by: .seconds(3))
        #expect(!dialogue.channel.isActive)
    }

    @Test func `the end of the answer closes, and what still comes is thrown away`() throws {
        let dialogue = try upgraded()
        try dialogue.send([0x88, 0x03, 0xE8])
        try dialogue.end()
        #expect(try dialogue.sent() == [0x88, 2, 0x03, 0xE8])
        try dialogue.receive(frame(0x81, [0x61]))
        #expect(try dialogue.requests().isEmpty)
        dialogue.channel.embeddedEventLoop.advanceTime(by: .seconds(3))
        #expect(!dialogue.channel.isActive)
    }

    @Test(
        arguments: [
            ("unmasked", frame(0x81, [0x61], masked: false), 1002), ("a reserved bit", frame(0xC1, [0x61]), 1002),
            ("an unknown opcode", frame(0x83, [0x61]), 1002), ("an unknown control opcode", frame(0x8B, []), 1002),
            ("a control frame in pieces", frame(0x09, []), 1002),
            ("a long ping", frame(0x89, Array(repeating: 0, count: 126)), 1002),
            ("one byte too many", frame(0x82, Array(repeating: 0, count: 4_097)), 1009),
            ("a length nobody can send", [0x82, 0xFF] + Array(repeating: 0x7F, count: 8) + [1, 2, 3, 4], 1009),
            ("a negative length", [0x82, 0xFF] + Array(repeating: 0xFF, count: 8) + [1, 2, 3, 4], 1009),
        ] as [(String, [UInt8], Int)])
    func `a frame that can't be is told to the session with the code to close with, and nothing after it is read`(
        what: String, bytes: [UInt8], code: Int
    ) throws {
        let dialogue = try upgraded()
        let close = #expect(throws: WebSocketClose.self, "\(what)") {
            try dialogue.receive(bytes)
            try dialogue.channel.throwIfErrorCaught()
        }
        #expect(close.map { Int($0.code) } == code, "\(what)")
        try? dialogue.receive(frame(0x81, [0x61]))
        #expect(try dialogue.requests().isEmpty, "\(what)")
    }

    @Test func `the largest frame is read`() throws {
        let dialogue = try upgraded()
        let payload = [UInt8](repeating: 0x61, count: 4_096)
        try dialogue.receive(frame(0x82, payload))
        #expect(try dialogue.requests() == ["body \([0x82] + payload)"])
    }
}
