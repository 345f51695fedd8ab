import GateHTTP
import GateSSH
import GateTesting
import GateWire
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Testing

/// Single fields that break their rule; the answer names the field.
@Suite struct FieldTests {
    struct Case: Sendable, CustomStringConvertible {
        let description: String
        let route: String
        let sender: Sender
        let field: String
        let body: String

        init(_ route: String, _ field: String, _ body: String, by sender: Sender = .administrator) {
            self.route = route
            self.field = field
            self.sender = sender
            self.body = body
            description = "\(route) \(body.prefix(60))"
        }
    }

    static let long = String(repeating: "a", count: 10_000)

    static let cases: [Case] =
        [
            "1", "null", "[]", "{}", "\"\"", "\"A\"", "\"a b\"", "\"a\\u0000\"", "\"\(long)\"", "\"-a\"", "\"a\\n\"",
            "\"é\"", "1.5", "true",
        ].map { Case("POST /machines", "name", "{\"name\":\($0)}") }
        + ["1", "\"\"", "\"a b\"", "\"\(long)\"", "\"-x\""].map {
            Case("POST /machines", "agent_id", "{\"name\":\"db\",\"agent_id\":\($0)}")
        }
        + ["1", "\"a\\u0000b\"", "\"a\\u202eb\"", "\"a\\nb\"", "\"\(long)\""].map {
            Case("POST /machines", "organization", "{\"name\":\"db\",\"organization\":\($0)}")
        }
        + ["\"a\"", "[1]", "[\"A\"]", "[\"\"]", "[null]", "{}", "[[\"a\"]]"].map {
            Case("POST /machines", "tags", "{\"name\":\"db\",\"tags\":\($0)}")
        }
        + [
            Case(
                "POST /machines", "tags",
                "{\"name\":\"db\",\"tags\":[\((0..<33).map { "\"t\($0)\"" }.joined(separator: ","))]}")
        ]
        + ["0", "59", "-1", "2592001", "\"60\"", "9223372036854775807"].map {
            Case("POST /machines", "enrolment_ttl", "{\"name\":\"db\",\"enrolment_ttl\":\($0)}")
        }
        + ["null", "\"A\"", "1"].map { Case("PATCH /machines/:agent_id", "name", "{\"name\":\($0)}") }
        + ["null", "\"a\"", "[\"A\"]"].map { Case("PATCH /machines/:agent_id", "tags", "{\"tags\":\($0)}") }
        + ["1", "\"a\\u0000\""].map { Case("PATCH /machines/:agent_id", "site", "{\"site\":\($0)}") }
        + ["0", "31536001", "\"1\""].map { Case("POST /tokens", "ttl", "{\"label\":\"x\",\"ttl\":\($0)}") }
        + ["null", "1", "\"a\\u0007\"", "\"\(long)\""].map { Case("POST /tokens", "label", "{\"label\":\($0)}") }
        + [Case("POST /tokens", "label", "{}")]
        + ["59", "2592001"].map { Case("POST /machines/:agent_id/enrolments", "ttl", "{\"ttl\":\($0)}") }
        + ["1", "\"\"", "\"ssh-rsa AAAA\"", "\"ssh-ed25519 AAAA\"", "\"\(long)\"", "\"ssh-ed25519\\nAAAA\""].map {
            Case("POST /tunnel-keys", "public_key", "{\"public_key\":\($0),\"machines\":[\"web\"]}")
        }
        + ["[]", "\"web\"", "[\"\"]", "[\"a b\"]", "[1]"].map {
            Case("POST /tunnel-keys", "machines", "{\"public_key\":\"\(key)\",\"machines\":\($0)}")
        }
        + [
            Case(
                "POST /tunnel-keys", "machines",
                "{\"public_key\":\"\(key)\",\"machines\":[\((0..<65).map { "\"m\($0)\"" }.joined(separator: ","))]}"),
            Case(
                "POST /tunnel-keys", "connection_ttl",
                "{\"public_key\":\"\(key)\",\"machines\":[\"web\"],\"ttl\":120,\"connection_ttl\":60}"),
            Case("POST /agent/enrol", "public_key", "{\"public_key\":\"x\"}", by: .enrolmentToken),
            Case(
                "POST /agent/enrol", "agent_id", "{\"public_key\":\"\(key)\",\"agent_id\":\"a b\"}",
                by: .enrolmentToken),
            Case(
                "POST /agent/enrol", "agent_id", "{\"public_key\":\"\(key)\",\"agent_id\":\"web\"}",
                by: .enrolmentToken),
            Case("POST /agent/heartbeat", "generation", "{\"generation\":\"1\"}", by: .agentKey),
            Case("POST /agent/register", "host_keys", register("[\"x\"]"), by: .agentKey),
            Case(
                "POST /agent/register", "host_keys",
                register("[\(Array(repeating: "\"\(key)\"", count: 9).joined(separator: ","))]"), by: .agentKey),
            Case("POST /agent/register", "os", register("[]", system: "a\\u001b[2J"), by: .agentKey),
            Case(
                "POST /agent/register", "agent_version", "{\"public_key\":\"\(key)\",\"host_keys\":[],\"os\":\"\"}",
                by: .agentKey),
        ]

    static let key = (try? SampleKeys.publicKey(77).line) ?? ""

    static func register(_ hostKeys: String, system: String = "") -> String {
        "{\"public_key\":\"\(key)\",\"host_keys\":\(hostKeys),\"os\":\"\(system)\",\"agent_version\":\"\"}"
    }

    @Test func `a field that breaks its rule is named, its value is not repeated, and nothing changes`() async throws {
        let api = try await TestAPI.make()
        let before = try await api.gateway.storeContents()
        for one in Self.cases {
            let parts = one.route.split(separator: " ").map(String.init)
            let response = try await api.withClient { client in
                try await client.execute(
                    uri: api.path("/api/v1" + parts[1]), method: .init(rawValue: parts[0]) ?? .post,
                    headers: api.headers(one.sender, json: true), body: ByteBuffer(string: one.body))
            }
            let code = expectProblem(response, status: 400, one.description)
            let text = String(buffer: response.body)
            #expect(code == .invalidField, "\(one): \(text)")
            #expect(text.contains("'\(one.field)"), "\(one): \(text)")
            #expect(text.utf8.count < 1_000)
            #expect(!text.contains("aaaaaaaaaa"))
        }
        #expect(try await api.gateway.storeContents() == before)
    }

    @Test(arguments: ["1.5", "1e400", "9223372036854775808", "-9223372036854775809"])
    func `a number that is no whole one, or none of 64 bits, is refused`(number: String) async throws {
        let api = try await TestAPI.make()
        for (path, sender, body) in [
            ("/api/v1/machines", Sender.administrator, "{\"name\":\"db\",\"enrolment_ttl\":\(number)}"),
            ("/api/v1/agent/heartbeat", .agentKey, "{\"generation\":\(number)}"),
        ] {
            let response = try await api.withClient { client in
                try await client.execute(
                    uri: path, method: .post, headers: api.headers(sender, json: true), body: ByteBuffer(string: body))
            }
            expectProblem(response, status: 400, body)
        }
    }

    @Test(arguments: [
        "machines?limit=0", "machines?limit=1001", "machines?limit=x", "machines?limit=", "machines?after=x",
        "machines?after=1~x", "machines?after=~",
        "machines?after=99999999999999999999~00000000-0000-4000-8000-000000000000",
        "tunnel-keys?purpose=x", "audit/events?limit=-1", "audit/events?after=1",
    ])
    func `a query that can't be meant is refused`(query: String) async throws {
        let api = try await TestAPI.make()
        let response = try await api.withClient { client in
            try await client.execute(
                uri: "/api/v1/\(query)", method: .get, headers: api.headers(.administrator), body: nil)
        }
        #expect(expectProblem(response, status: 400, query) == .invalidField)
    }

    @Test(arguments: ["machines", "tunnel-keys", "audit/events"])
    func `the Link header walks a whole list`(list: String) async throws {
        let api = try await TestAPI.make()
        var path: String? = "/api/v1/\(list)?limit=1"
        var ids: [String] = []
        while let next = path, ids.count < 100 {
            let response = try await api.withClient { client in
                try await client.execute(uri: next, method: .get, headers: api.headers(.administrator), body: nil)
            }
            #expect(response.status == .ok)
            let text = String(buffer: response.body)
            if let id = text.firstMatch(of: /"id":"([0-9a-f-]{36})"/) { ids.append(String(id.output.1)) }
            path = HTTPField.Name("Link").flatMap { response.headers[$0] }?
                .firstMatch(of: /^<([^>]+)>; rel="next"$/).map { String($0.output.1) }
        }
        let whole = try await api.withClient { client in
            try await client.execute(
                uri: "/api/v1/\(list)", method: .get, headers: api.headers(.administrator), body: nil)
        }
        #expect(Set(ids).count == ids.count)
        #expect(ids.count >= 2)
        for id in ids { #expect(String(buffer: whole.body).contains(id)) }
    }
}
