import GateHTTP
import GateTesting
import GateWire
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Testing

@Suite struct BadInputTests {
    private static let json = "application/json"

    /// Sends each bad body to every route that reads one, as somebody who is let in; nothing may change.
    private func refuse(
        _ bodies: [(what: String, body: ByteBuffer?, type: String?)], status: Int, code: ProblemCode? = nil,
        except: String? = nil
    ) async throws {
        let api = try await TestAPI.make()
        let before = try await api.gateway.storeContents()
        var count = 0
        // A dialect tells what is wrong in shapes of its own; its own tests have that.
        for entry in api.entries where !RouteTable.isForTheHost(entry) && !RouteTable.isDialect(entry) {
            guard let good = RouteTable.good(entry), good.body != nil, !good.isForm else { continue }
            if let except, entry.path.contains(except) { continue }
            for (what, body, type) in bodies {
                var headers = api.headers(RouteTable.welcome(entry))
                headers[.contentType] = type
                let response = try await api.withClient { [headers] client in
                    try await client.execute(
                        uri: api.path(entry.path), method: .init(rawValue: entry.method) ?? .post, headers: headers,
                        body: body)
                }
                let found = expectProblem(response, status: status, "\(what) to \(entry.method) \(entry.path)")
                if let code { #expect(found == code, "\(what) to \(entry.method) \(entry.path)") }
                count += 1
            }
        }
        #expect(count >= bodies.count * 18)
        #expect(try await api.gateway.storeContents() == before)
    }

    @Test func `bodies that are no JSON object`() async throws {
        let texts = [
            "", " ", "null", "true", "1", "\"x\"", "[]", "[{}]", "{", "{\"a\"", "{}}", "{} x", "{'a':1}", "{\"a\":}",
            "{\"a\":1,}", "\u{FEFF}{", "<xml/>", "a=1&b=2", String(repeating: "[", count: 1_000),
            String(repeating: "{\"a\":", count: 1_000), "{\"\u{0}\":1}", "{\"a\":\"\u{0}\"}", "{\"a\":\"\n\"}",
            "{\"a\":1e99999}", "{\"a\":-}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\x\"}", "\u{0}",
        ]
        try await refuse(texts.map { ("body \($0.prefix(20))", ByteBuffer(string: $0), Self.json) }, status: 400)
    }

    @Test func `bytes that are no UTF-8`() async throws {
        let bytes: [[UInt8]] = [
            [0xFF], Array("{\"secret\":\"".utf8) + [0xC0, 0x80] + Array("\"}".utf8),
            Array("{\"name\":\"".utf8) + [0xED, 0xA0, 0x80] + Array("\"}".utf8), [0xFE, 0xFF, 0x00, 0x7B],
            Array("{\"name\":\"a".utf8) + [0xE2, 0x82],
        ]
        try await refuse(
            bytes.map { ("bytes \($0.prefix(4))", ByteBuffer(bytes: $0), Self.json) }, status: 400,
            code: .malformedRequest)
    }

    @Test func `no body at all`() async throws {
        try await refuse([("nothing", nil, Self.json)], status: 400, code: .malformedRequest)
    }

    @Test func `another content type`() async throws {
        let types: [String?] = [
            nil, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
            "application/json-patch+json", "text/json", "application/jsonx", "json", "*/*",
        ]
        try await refuse(
            types.map { ("type \($0 ?? "none")", ByteBuffer(string: "{}"), $0) }, status: 415,
            code: .unsupportedMediaType)
    }

    @Test func `more than a mebibyte`() async throws {
        let body = ByteBuffer(string: "{\"a\":\"" + String(repeating: "x", count: 1 << 20) + "\"}")
        try await refuse(
            [("1 MiB and more", body, Self.json)], status: 413, code: .bodyTooLarge,
            // A whole fleet comes in one body, of 32 MiB at most.
            except: "/imports/")
    }

    @Test func `fields nobody knows are refused by name, if the name is fit to be shown`() async throws {
        try await refuse(
            ["{\"bogus\":1}", "{\"__proto__\":{}}", "{\"\\u0000\":1}", "{\"Name\":1}", "{\"\":1}"].map {
                ($0, ByteBuffer(string: $0), Self.json)
            }, status: 400, code: .unknownField)
        let api = try await TestAPI.make()
        let response = try await api.withClient { client in
            try await client.execute(
                uri: "/api/v1/machines", method: .post, headers: api.headers(.administrator, json: true),
                body: ByteBuffer(string: "{\"name\":\"db\",\"<script>\":1}"))
        }
        expectProblem(response, status: 400, "script")
        #expect(!String(buffer: response.body).contains("script"))
    }

    @Test func `a good body with another content type's parameter and case is read`() async throws {
        let api = try await TestAPI.make()
        for (number, type) in ["application/json; charset=utf-8", "APPLICATION/JSON", "application/json ;x=y"]
            .enumerated()
        {
            var headers = api.headers(.administrator)
            headers[.contentType] = type
            let response = try await api.withClient { [headers] client in
                try await client.execute(
                    uri: "/api/v1/machines", method: .post, headers: headers,
                    body: ByteBuffer(string: "{\"name\":\"m\(number)\"}"))
            }
            #expect(response.status == .created)
        }
    }

    @Test func `query parameters nobody reads are refused wherever a credential is asked for`() async throws {
        let api = try await TestAPI.make()
        // A dialect tells what is wrong in shapes of its own; its own tests have that.
        for entry in api.entries where !RouteTable.isForTheHost(entry) && !RouteTable.isDialect(entry) {
            // A page's address may have been passed on by something that adds to it.
            guard ![.anyone, .probe, .page, .personPage].contains(entry.access) else { continue }
            let good = try #require(RouteTable.good(entry))
            guard entry.access != .setupSecret else { continue }
            let body = try await good.body?(api)
            let before = try await api.gateway.storeContents()
            let response = try await api.withClient { client in
                try await client.execute(
                    uri: api.path(entry.path, query: "bogus=1"), method: .init(rawValue: entry.method) ?? .get,
                    headers: api.headers(RouteTable.welcome(entry), json: body != nil),
                    body: body.map { ByteBuffer(string: $0) })
            }
            #expect(
                expectProblem(response, status: 400, "\(entry.method) \(entry.path)?bogus=1") == .unknownField)
            #expect(try await api.gateway.storeContents() == before)
        }
    }

    @Test(arguments: [
        "%00", "a%00b", "..", "..%2f..%2fetc", "a%20b", "%FF", "-a", String(repeating: "a", count: 129), "%E2%80%AE",
        "nope", "00000000-0000-4000-8000-000000000000",
    ])
    func `a machine's name in a path that names none is 404, whatever it is`(name: String) async throws {
        let api = try await TestAPI.make()
        for (method, tail) in [(HTTPRequest.Method.get, ""), (.delete, ""), (.get, "/keys"), (.get, "/enrolments")] {
            let response = try await api.withClient { client in
                try await client.execute(
                    uri: "/api/v1/machines/\(name)\(tail)", method: method, headers: api.headers(.administrator),
                    body: nil)
            }
            expectProblem(response, status: 404, "\(method) \(name)\(tail)")
        }
    }

    @Test(arguments: ["x", "%00", "1", "00000000-0000-4000-8000-000000000000", "'; DROP TABLE machine; --"])
    func `an id that names nothing is 404`(id: String) async throws {
        let api = try await TestAPI.make()
        let encoded = id.replacing(" ", with: "%20")
        for path in ["tokens", "tunnel-keys", "grants", "machines/web/keys", "machines/web/enrolments"] {
            let response = try await api.withClient { client in
                try await client.execute(
                    uri: "/api/v1/\(path)/\(encoded)", method: .delete, headers: api.headers(.administrator), body: nil)
            }
            expectProblem(response, status: 404, "\(path)/\(id)")
        }
    }
}
