import GateHTTP
import GateStore
import GateTesting
import GateWire
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Testing

@Suite struct RequestTests {
    private func get(_ api: TestAPI, _ path: String, _ headers: HTTPFields) async throws -> TestResponse {
        try await api.withClient { client in
            try await client.execute(uri: path, method: .get, headers: headers, body: nil)
        }
    }

    @Test(arguments: ["a", "0", "A-b_c.9", String(repeating: "x", count: 64)])
    func `a request id that can't disturb a log is kept`(id: String) async throws {
        let api = try await TestAPI.make()
        #expect(try await get(api, "/healthz", [requestIDName: id]).headers[requestIDName] == id)
        #expect(try await get(api, "/nothing", [requestIDName: id]).headers[requestIDName] == id)
    }

    @Test(arguments: ["", " ", "a b", "a;b", "a\"b", "é", "a,b", String(repeating: "x", count: 65), "<script>"])
    func `any other is replaced by ours`(id: String) async throws {
        let api = try await TestAPI.make()
        let answered = try #require(try await get(api, "/healthz", [requestIDName: id]).headers[requestIDName])
        #expect(answered != id)
        #expect(answered.firstMatch(of: /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/) != nil)
    }

    @Test(arguments: ["Bearer %", "bearer %", "BEARER %", "token %", "Token %"])
    func `schemes of any case are understood`(shape: String) async throws {
        let api = try await TestAPI.make()
        let bearer = try #require(api.bearers[.administrator])
        let response = try await get(
            api, "/api/v1/whoami", [.authorization: shape.replacing("%", with: bearer)])
        #expect(response.status == .ok)
    }

    @Test(arguments: ["%", "Basic %", "Bearer", "Bearer ", "Digest %", "Bearer % x", "Bearer,%", "Bearer\u{9}%", ""])
    func `other ways to show a credential are refused`(shape: String) async throws {
        let api = try await TestAPI.make()
        let bearer = try #require(api.bearers[.administrator])
        let response = try await get(
            api, "/api/v1/whoami", [.authorization: shape.replacing("%", with: bearer)])
        expectProblem(response, status: 401, shape)
        expectAbsent(bearer, in: response, shape)
    }

    @Test func `two credentials are none`() async throws {
        let api = try await TestAPI.make()
        var headers = api.headers(.administrator)
        headers.append(HTTPField(name: .authorization, value: "Bearer \(api.bearers[.agentKey] ?? "")"))
        expectProblem(try await get(api, "/api/v1/whoami", headers), status: 401, "two headers")
    }

    @Test func `headers past 8 KiB are refused before anybody reads the credential`() async throws {
        let api = try await TestAPI.make()
        let reads = api.gateway.database.reads
        var headers = api.headers(.administrator)
        if let name = HTTPField.Name("X-Long") { headers[name] = String(repeating: "a", count: 8_192) }
        #expect(
            expectProblem(try await get(api, "/api/v1/whoami", headers), status: 431, "long header") == .headersTooLarge
        )
        let path = "/api/v1/machines?name=" + String(repeating: "a", count: 8_192)
        expectProblem(try await get(api, path, [:]), status: 431, "long path")
        #expect(api.gateway.database.reads == reads)
    }

    @Test func `a store that can't be asked is 503 with a time to wait, never 401`() async throws {
        let api = try await TestAPI.make()
        api.gateway.database.failReads(.transient("busy"))
        for sender in [Sender.administrator, .agentKey, .unknown] {
            let response = try await get(api, "/api/v1/whoami", api.headers(sender))
            #expect(expectProblem(response, status: 503, "\(sender)") == .databaseUnavailable)
            #expect(response.headers[.retryAfter] == "1")
        }
        #expect(try await get(api, "/healthz", [:]).status == .ok)
    }

    @Test(arguments: [
        StoreError.transient("secret-path"), .full("secret-path"), .corrupt("secret-path"),
        .engine(code: "secret-path"),
    ])
    func `a store that can't write is 503 and tells nothing of itself`(failure: StoreError) async throws {
        let api = try await TestAPI.make()
        let before = try await api.gateway.storeContents()
        api.gateway.database.failWrites(failure)
        let response = try await api.withClient { client in
            try await client.execute(
                uri: "/api/v1/machines", method: .post, headers: api.headers(.administrator, json: true),
                body: ByteBuffer(string: "{\"name\":\"db\"}"))
        }
        expectProblem(response, status: 503, "\(failure)")
        #expect(response.headers[.retryAfter] != nil)
        expectAbsent("secret-path", in: response, "\(failure)")
        #expect(try await api.gateway.storeContents() == before)
    }

    @Test func `faults of ours are 500 and told to nobody`() async throws {
        let api = try await TestAPI.make()
        api.gateway.database.failWrites(.corruptRow(column: "secret-column"))
        let response = try await api.withClient { client in
            try await client.execute(
                uri: "/api/v1/machines", method: .post, headers: api.headers(.administrator, json: true),
                body: ByteBuffer(string: "{\"name\":\"db\"}"))
        }
        #expect(expectProblem(response, status: 500, "corrupt row") == .internalError)
        expectAbsent("secret-column", in: response, "corrupt row")
    }

    @Test func `metrics count by pattern, never by what a stranger wrote`() async throws {
        let api = try await TestAPI.make()
        for path in ["/api/v1/machines/web", "/api/v1/machines/other", "/stranger-text"] {
            _ = try await get(api, path, api.headers(.administrator))
        }
        let text = String(buffer: try await get(api, "/metrics", [:]).body)
        #expect(!text.contains("stranger-text"))
        #expect(!text.contains("other"))
        #expect(text.contains("status=\"404\""))
        #expect(text.contains("tidegate_machines 1.0"))
        #expect(
            text.contains(
                """
                # HELP tidegate_calls_total Calls.
                # TYPE tidegate_calls_total counter
                tidegate_calls_total{to="a"} 1.0
                tidegate_calls_total{to="b"} 2.0

                """))
    }

    @Test func `a credential is shown once, in the answer that made it`() async throws {
        let api = try await TestAPI.make()
        let made = try await api.withClient { client in
            try await client.execute(
                uri: "/api/v1/tokens", method: .post, headers: api.headers(.administrator, json: true),
                body: ByteBuffer(string: "{\"label\":\"ci\"}"))
        }
        let token = try #require(String(buffer: made.body).firstMatch(of: /tgp_[A-Za-z0-9_-]{43}/)).output
        let listed = try await get(api, "/api/v1/tokens", api.headers(.administrator))
        #expect(String(buffer: listed.body).contains("\"ci\""))
        expectAbsent(String(token), in: listed, "the list")
        for path in ["/api/v1/machines/web/keys", "/api/v1/machines/web/enrolments", "/api/v1/audit/events"] {
            let body = String(buffer: try await get(api, path, api.headers(.administrator)).body)
            #expect(body.firstMatch(of: /(tg[a-z]|cak)_[A-Za-z0-9_-]{43}/) == nil, "\(path)")
        }
    }
}
