import GateClient
import GateModel
import GateWire
import NIOCore
import NIOPosix
import Testing

/// A server that answers every request with the same bytes and remembers what it was sent.
private actor CannedServer {
    nonisolated let port: Int
    private let channel: any Channel
    private let requests: Requests

    final class Requests: ChannelInboundHandler, @unchecked Sendable {
        typealias InboundIn = ByteBuffer
        // Touched on the one event loop of the server only.
        var text = ""
        let answers: [String]
        private var next = 0

        init(answers: [String]) { self.answers = answers }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            text += String(buffer: unwrapInboundIn(data))
            guard text.hasSuffix("\r\n\r\n") || text.hasSuffix("}") else { return }
            let answer = answers[min(next, answers.count - 1)]
            next += 1
            context.writeAndFlush(NIOAny(ByteBuffer(string: answer)), promise: nil)
        }
    }

    init(_ answers: String...) async throws {
        let requests = Requests(answers: answers)
        self.requests = requests
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton.next())
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(requests) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
    }

    func sent() async throws -> String {
        try await channel.close()
        let requests = requests
        return try await channel.eventLoop.submit { requests.text }.get()
    }
}

private func answer(_ status: String, _ body: String, headers: String = "", type: String = "application/json") -> String
{
    "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
}

@Suite struct GatewayClientTests {
    private func client(_ server: CannedServer, token: String? = "tgp_secret") throws -> GatewayClient {
        try GatewayClient(
            endpoint: GatewayEndpoint("http://127.0.0.1:\(server.port)"), credential: token.map { Secret($0) })
    }

    @Test func sendsTheTokenAndReadsTheAnswer() async throws {
        let server = try await CannedServer(
            answer("200 OK", #"{"kind":"user","id":"1","name":"ann","role":"admin","scopes":["tokens"]}"#))
        let who = try await client(server).whoAmI()
        #expect(who.name == "ann")
        let sent = try await server.sent()
        #expect(sent.hasPrefix("GET /api/v1/whoami HTTP/1.1\r\n"))
        #expect(sent.contains("Authorization: Bearer tgp_secret\r\n"))
    }

    @Test func bodiesAreJSONOfThatType() async throws {
        let server = try await CannedServer(answer("204 No Content", ""))
        try? await client(server).send(.post, "/api/v1/tokens", body: AddTokenRequest(label: "ci", ttl: 60))
        let sent = try await server.sent()
        #expect(sent.contains("Content-Type: application/json\r\n"))
        #expect(sent.contains(#""ttl":60"#))
    }

    @Test func aRedirectIsNeverFollowed() async throws {
        let server = try await CannedServer(
            answer("302 Found", "", headers: "Location: http://127.0.0.1:1/api/v1/whoami\r\n"))
        let error = await #expect(throws: GatewayClientError.self) { _ = try await client(server).whoAmI() }
        #expect(error?.status == 302)
    }

    @Test func aRefusalKeepsItsCodeAndItsRetryAfter() async throws {
        let body =
            #"{"type":"x","title":"t","status":409,"detail":"no\u001b[31m","error_code":"DUPLICATE_AGENT","#
            + #""status_code":409,"request_id":"r"}"#
        let server = try await CannedServer(
            answer("409 Conflict", body, headers: "Retry-After: 42\r\n", type: "application/problem+json"))
        let error = await #expect(throws: GatewayClientError.self) { _ = try await client(server).whoAmI() }
        #expect(error?.code == .duplicateAgent)
        #expect(error?.retryAfter == 42)
        #expect(error?.description.contains("\u{1B}") == false)
    }

    @Test func whatIsNoGatewayIsSaidSo() async throws {
        let server = try await CannedServer(answer("500 Oops", "<html>", type: "text/html"))
        let error = await #expect(throws: GatewayClientError.self) { _ = try await client(server).whoAmI() }
        #expect(error?.status == 500 && error?.code == nil)
    }

    @Test func anAnswerWithoutEndIsCut() async throws {
        let server = try await CannedServer(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + String(repeating: " ", count: 5 << 20))
        let error = await #expect(throws: GatewayClientError.self) { _ = try await client(server).whoAmI() }
        #expect(error.map { if case .malformedAnswer = $0 { true } else { false } } == true)
    }

    @Test func listsFollowTheNextPageOnTheSameGatewayOnly() async throws {
        let machine =
            #"{"id":"1","key_id":"2","purpose":"jump","pid":3,"source":"","started_at":"2026-01-01T00:00:00Z"}"#
        let server = try await CannedServer(
            answer(
                "200 OK", "[\(machine)]",
                headers: "Link: <https://elsewhere.example.org/api/v1/connections?after=1>; rel=\"next\"\r\n"),
            answer("200 OK", "[\(machine)]"))
        let rows = try await client(server).connections()
        #expect(rows.count == 2)
        #expect(try await server.sent().contains("GET /api/v1/connections?after=1 HTTP/1.1"))
    }

    @Test func nobodyThereIsUnreachable() async throws {
        let gone = try await CannedServer("")
        _ = try await gone.sent()
        let error = await #expect(throws: GatewayClientError.self) { _ = try await client(gone).whoAmI() }
        #expect(error?.description.contains("refused") == true)
    }
}
