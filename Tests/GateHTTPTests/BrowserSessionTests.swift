import GateControl
import GateHTTP
import GateModel
import GateTesting
import GateWire
import HTTPTypes
import HummingbirdTesting
import NIOCore
import Testing

@Suite struct BrowserSessionTests {
    private func send(
        _ api: TestAPI, _ method: HTTPRequest.Method, _ path: String, headers: [(String, String)], body: String? = nil
    ) async throws -> TestResponse {
        var fields = HTTPFields()
        for (name, value) in headers {
            fields.append(HTTPField(name: try #require(HTTPField.Name(name)), value: value))
        }
        if body != nil { fields[.contentType] = "application/json" }
        let sent = fields
        return try await api.withClient { client in
            try await client.execute(
                uri: path, method: method, headers: sent, body: body.map { ByteBuffer(string: $0) })
        }
    }

    @Test func `a change by a cookie needs the session's own token, from our own pages`() async throws {
        let api = try await TestAPI.make()
        let cookie = ("Cookie", "__Host-tidegate=\(api.cookie)")
        let token = ("X-CSRF-Token", api.signIn.sessions.forgeryToken(of: api.session.id))
        let path = "/api/v1/auth/logout"
        for headers in [
            [cookie], [cookie, ("X-CSRF-Token", "wrong")], [cookie, ("X-CSRF-Token", api.cookie)],
            [cookie, token, ("Origin", "https://evil.example")], [cookie, token, ("Origin", "null")],
            [cookie, token, ("Origin", "http://gate.example")],
            [cookie, token, ("Origin", "https://gate.example:444")],
            [cookie, token, ("Sec-Fetch-Site", "cross-site")], [cookie, token, ("Sec-Fetch-Site", "same-site")],
        ] {
            let response = try await send(api, .post, path, headers: headers)
            #expect(expectProblem(response, status: 403, "\(headers)") == .csrfRefused)
        }
        #expect(try await send(api, .get, "/api/v1/auth/status", headers: [cookie]).status == .ok)
        let good = try await send(api, .post, path, headers: [cookie, token, ("Origin", "https://gate.example")])
        #expect(good.status == .ok)
        #expect(try await send(api, .get, "/api/v1/auth/status", headers: [cookie]).status == .unauthorized)
    }

    @Test func `two cookies of one name are none, and neither is another name's`() async throws {
        let api = try await TestAPI.make()
        for value in [
            "__Host-tidegate=\(api.cookie); __Host-tidegate=x", "tidegate=\(api.cookie)",
            "x__Host-tidegate=\(api.cookie)",
            "__Host-tidegate-x=\(api.cookie)", "__Host-tidegate=\(api.cookie)x", "__Host-tidegate=",
        ] {
            let response = try await send(api, .get, "/api/v1/auth/status", headers: [("Cookie", value)])
            #expect(response.status == .unauthorized, "\(value)")
        }
        let both = [("Cookie", "a=b; __Host-tidegate=\(api.cookie); c=d")]
        #expect(try await send(api, .get, "/api/v1/auth/status", headers: both).status == .ok)
    }

    @Test func `a session's text is no bearer credential`() async throws {
        let api = try await TestAPI.make()
        for path in ["/api/v1/whoami", "/api/v1/auth/status", "/api/v1/machines"] {
            let response = try await send(api, .get, path, headers: [("Authorization", "Bearer \(api.cookie)")])
            expectProblem(response, status: 401, path)
        }
    }

    @Test func `signing in sets a cookie no script reads and no other site sends`() async throws {
        let api = try await TestAPI.make()
        try await api.signIn.passwords.setPassword(
            ofUserNamed: "admin", current: nil, new: "a long pass phrase", by: api.gateway.admin)
        let response = try await send(
            api, .post, "/api/v1/auth/password-login", headers: [],
            body: #"{"username":"admin","password":"a long pass phrase"}"#)
        #expect(response.status == .ok)
        let cookie = try #require(response.headers[.setCookie])
        #expect(cookie.hasPrefix("__Host-tidegate=tgb_"))
        #expect(cookie.hasSuffix("; Path=/; HttpOnly; SameSite=Lax; Secure"))
        // The body doesn't hold it: what a script could read it couldn't lose.
        #expect(!String(buffer: response.body).contains("tgb_"))
    }

    @Test func `every refusal of a sign-in is the same, byte for byte`() async throws {
        let api = try await TestAPI.make()
        try await api.signIn.passwords.setPassword(
            ofUserNamed: "admin", current: nil, new: "a long pass phrase", by: api.gateway.admin)
        var answers: Set<String> = []
        for body in [
            #"{"username":"admin","password":"wrong"}"#, #"{"username":"nobody","password":"wrong"}"#,
            #"{"username":"nobody","password":"wrong","totp":"123456"}"#,
        ] {
            let response = try await send(
                api, .post, "/api/v1/auth/password-login", headers: [("X-Request-ID", "same")], body: body)
            answers.insert("\(response.status) \(response.headers) \(String(buffer: response.body))")
        }
        #expect(answers.count == 1)
    }

    @Test(arguments: [
        ("https://gate.example", "https://gate.example", true, false, true),
        ("https://Gate.Example:8443", "https://gate.example:8443", true, false, true),
        ("http://127.0.0.1:12000", "http://127.0.0.1:12000", false, true, true),
        ("http://[::1]:12000", "http://[::1]:12000", false, true, true),
        ("http://gate.localhost:80", "http://gate.localhost", false, true, true),
        ("http://gate.example", "http://gate.example", false, false, false),
        ("http://127.example.org", "http://127.example.org", false, false, false),
    ])
    func `an origin is read as a browser writes it`(
        url: String, text: String, isSecure: Bool, isLoopback: Bool, allows: Bool
    ) {
        let origin = BrowserOrigin(url: url)
        #expect(origin.text == text && origin.isSecure == isSecure)
        #expect(origin.isLoopback == isLoopback && origin.allowsSessions == allows)
    }
}
