import GateControl
import GateHTTP
import GateModel
import GatePanel
import GateTesting
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Testing

/// The panel's pages, asked as a browser asks; what they look like is the black-box suite's.
@Suite struct PanelTests {
    private static let phrase = "a long pass phrase"

    private func get(_ api: TestAPI, _ path: String, cookie: String? = nil) async throws -> TestResponse {
        var headers: HTTPFields = [.accept: "text/html"]
        headers[.cookie] = cookie
        return try await api.withClient { [headers] client in
            try await client.execute(uri: path, method: .get, headers: headers, body: nil)
        }
    }

    private func post(
        _ api: TestAPI, _ path: String, _ fields: String, cookie: String? = nil,
        origin: String? = "https://gate.example", type: String? = "application/x-www-form-urlencoded"
    ) async throws -> TestResponse {
        var headers = HTTPFields()
        headers[.contentType] = type
        headers[.origin] = origin
        headers[.cookie] = cookie
        return try await api.withClient { [headers] client in
            try await client.execute(uri: path, method: .post, headers: headers, body: ByteBuffer(string: fields))
        }
    }

    private func session(_ api: TestAPI) -> String { "__Host-tidegate=\(api.cookie)" }

    private func csrf(_ api: TestAPI) -> String { api.signIn.sessions.forgeryToken(of: api.session.id) }

    private func withPassword() async throws -> TestAPI {
        let api = try await TestAPI.make()
        try await api.signIn.passwords.setPassword(
            ofUserNamed: "admin", current: nil, new: Self.phrase, by: api.gateway.admin)
        return api
    }

    private func text(_ response: TestResponse) -> String { String(buffer: response.body) }

    private func cookies(_ response: TestResponse) -> [String] { response.headers[values: .setCookie] }

    @Test func `a right password opens a session and goes where one wanted to go`() async throws {
        let api = try await withPassword()
        let fields = "name=+Admin+&password=a+long+pass%20phrase&return_to=%2Fdevice"
        let response = try await post(api, "/sign-in", fields)
        #expect(response.status == .seeOther && response.headers[.location] == "/device")
        let cookie = try #require(cookies(response).first { $0.hasPrefix("__Host-tidegate=tgb_") })
        #expect(cookie.hasSuffix("; Path=/; HttpOnly; SameSite=Lax; Secure"))
        let page = try await get(api, "/", cookie: cookie.split(separator: ";").first.map(String.init))
        #expect(page.status == .ok && text(page).contains("<h1>admin</h1>") && text(page).contains("this browser"))
    }

    @Test(arguments: ["//evil.example", "/\\evil.example", "https://evil.example", "%0d%0aSet-Cookie:x=y", ""])
    func `nobody is sent to another host`(returnTo: String) async throws {
        let api = try await withPassword()
        let fields = "name=admin&password=a+long+pass+phrase&return_to=\(returnTo)"
        #expect(try await post(api, "/sign-in", fields).headers[.location] == "/")
        let page = try await get(api, "/sign-in?return_to=\(returnTo)")
        #expect(text(page).contains(#"name="return_to" value="/""#))
    }

    @Test func `a refusal is the same for a name that is and one that isn't`() async throws {
        let api = try await withPassword()
        var pages: Set<String> = []
        for name in ["admin", "nobody"] {
            let response = try await post(api, "/sign-in", "name=\(name)&password=wrong")
            #expect(response.status == .unauthorized && cookies(response).isEmpty)
            #expect(response.headers[.contentType] == "text/html; charset=utf-8")
            pages.insert(text(response).replacing("value=\"\(name)\"", with: ""))
        }
        #expect(pages.count == 1 && pages.first?.contains(#"role="alert""#) == true)
    }

    @Test(arguments: [
        "https://evil.example", "null", "http://gate.example", "https://gate.example:444", nil,
    ])
    func `nobody is signed in by a page of another site`(origin: String?) async throws {
        let api = try await withPassword()
        for path in ["/sign-in", "/sign-in/code"] {
            let response = try await post(
                api, path, "name=admin&password=a+long+pass+phrase&code=123456", origin: origin)
            #expect(response.status == .forbidden && cookies(response).isEmpty)
            #expect(text(response).contains("https://gate.example/"), "the page says where the panel is")
        }
    }

    @Test func `an account with a second factor is asked for a code, which works once`() async throws {
        let api = try await withPassword()
        let offer = try await api.signIn.secondFactor.offer(password: Self.phrase, by: api.caller)
        let codes = try await api.signIn.secondFactor.confirm(code: api.gateway.code(offer), by: api.caller)
        let first = try await post(
            api, "/sign-in", "name=admin&password=a+long+pass+phrase&return_to=/device")
        #expect(first.headers[.location] == "/sign-in/code?return_to=%2Fdevice")
        let pending = try #require(cookies(first).first)
        #expect(pending.hasPrefix("__Host-tidegate-code=") && pending.hasSuffix("; Secure; Max-Age=300"))
        #expect(cookies(first).count == 1 && !pending.contains("phrase"))
        let cookie = try #require(pending.split(separator: ";").first.map(String.init))
        let page = try await get(api, "/sign-in/code?return_to=/device", cookie: cookie)
        #expect(text(page).contains(#"name="return_to" value="/device""#))
        let wrong = try await post(api, "/sign-in/code", "code=000000", cookie: cookie)
        #expect(wrong.status == .unauthorized && text(wrong).contains(#"role="alert""#))
        api.gateway.clock.advance(by: .seconds(30))
        let code = try api.gateway.code(offer)
        let right = try await post(api, "/sign-in/code", "code=\(code)&return_to=/device", cookie: cookie)
        #expect(right.status == .seeOther && right.headers[.location] == "/device")
        #expect(cookies(right).contains { $0.hasPrefix("__Host-tidegate=tgb_") })
        #expect(cookies(right).contains { $0.hasPrefix("__Host-tidegate-code=;") && $0.hasSuffix("Max-Age=0") })
        let again = try await post(api, "/sign-in/code", "code=\(codes[0].reveal())", cookie: cookie)
        #expect(again.headers[.location] == "/sign-in?notice=begin-again")
    }

    @Test func `five wrong codes, and the password is asked for again`() async throws {
        let api = try await withPassword()
        let offer = try await api.signIn.secondFactor.offer(password: Self.phrase, by: api.caller)
        let codes = try await api.signIn.secondFactor.confirm(code: api.gateway.code(offer), by: api.caller)
        let first = try await post(api, "/sign-in", "name=admin&password=a+long+pass+phrase")
        let cookie = try #require(cookies(first).first?.split(separator: ";").first.map(String.init))
        for _ in 0..<5 {
            #expect(try await post(api, "/sign-in/code", "code=000000", cookie: cookie).status == .unauthorized)
        }
        let late = try await post(api, "/sign-in/code", "code=\(codes[0].reveal())", cookie: cookie)
        #expect(late.headers[.location] == "/sign-in?notice=begin-again")
        #expect(text(try await get(api, "/sign-in?notice=begin-again")).contains("Begin with the password again"))
    }

    @Test func `no form of a session does anything without the session's own token`() async throws {
        let api = try await TestAPI.make()
        let before = try await api.gateway.storeContents()
        let forms = api.entries.filter { $0.access == .personPage && $0.method == "POST" }
        #expect(forms.count >= 8)
        for entry in forms {
            let path = api.path(entry.path)
            for fields in ["code=123456&decision=approve", "csrf=&code=1", "csrf=\(api.cookie)", "csrf=wrong"] {
                let response = try await post(api, path, fields, cookie: session(api))
                #expect(response.status == .forbidden, "\(path) \(fields)")
            }
            let foreign = try await post(
                api, path, "csrf=\(csrf(api))&decision=approve", cookie: session(api), origin: "https://evil.example")
            #expect(foreign.status == .forbidden, "\(path)")
            let stranger = try await post(api, path, "csrf=\(csrf(api))")
            #expect(stranger.status == .seeOther && stranger.headers[.location]?.hasPrefix("/sign-in") == true)
        }
        #expect(try await api.gateway.storeContents() == before)
    }

    @Test func `every page says what a browser must not do with it`() async throws {
        let api = try await TestAPI.make()
        for entry in api.entries where entry.method == "GET" && [.page, .personPage].contains(entry.access) {
            let response = try await get(api, entry.path, cookie: entry.access == .page ? nil : session(api))
            guard response.status == .ok else { continue }
            let policy = try #require(response.headers[.contentSecurityPolicy])
            #expect(policy.hasPrefix("default-src 'none'; style-src 'self'") && !policy.contains("unsafe"))
            #expect(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"))
            for (name, value) in [
                ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "same-origin"), ("X-Frame-Options", "DENY"),
                ("Cross-Origin-Opener-Policy", "same-origin"),
            ] {
                #expect(response.headers[try #require(HTTPField.Name(name))] == value, "\(entry.path) \(name)")
            }
            #expect(!text(response).contains("{{"), "\(entry.path)")
        }
        let style = try await get(api, Panel.stylesheetPath)
        #expect(style.headers[.contentType] == "text/css; charset=utf-8")
        #expect(style.headers[.cacheControl] == "public, max-age=31536000, immutable")
        #expect(text(try await get(api, "/sign-in")).contains("href=\"\(Panel.stylesheetPath)\""))
    }

    @Test func `a program's own name stays text`() async throws {
        let api = try await TestAPI.make()
        let name = #"<script>alert(1)</script>"><img src=x onerror=alert(2)> {{name}} &amp;"#
        let begun = try await api.signIn.devices.begin(
            client: try #require(Label(rawValue: name)), scopes: nil, challenge: String(repeating: "A", count: 43),
            source: "203.0.113.9")
        let response = try await post(
            api, "/device", "csrf=\(csrf(api))&code=\(begun.userCode.lowercased())", cookie: session(api))
        #expect(response.status == .ok)
        let page = text(response)
        #expect(!page.contains("<script") && !page.contains("<img"))
        #expect(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&gt;&lt;img src=x onerror=alert(2)&gt;"))
        #expect(page.contains("{{name}} &amp;amp;"))
        #expect(page.contains("203.0.113.9") && page.contains("another address"))
        #expect(page.contains("add, change and remove machines") && !page.contains("change users and grants"))
    }

    @Test func `a form that is none, too large or twofold is answered with a page`() async throws {
        let api = try await TestAPI.make()
        let token = "csrf=\(csrf(api))"
        for (fields, type, status) in [
            ("{}", "application/json", 415), (token, nil, 415), (token, "text/plain", 415),
            (token + "&code=" + String(repeating: "B", count: 9_000), "application/x-www-form-urlencoded", 413),
            (token + "&code=%", "application/x-www-form-urlencoded", 400),
            (token + "&code=%FF", "application/x-www-form-urlencoded", 400),
            (token + "&code=a&code=b", "application/x-www-form-urlencoded", 400),
            (token + "&a[b][c]=d", "application/x-www-form-urlencoded", 400),
            (token + "&code=%00", "application/x-www-form-urlencoded", 400),
            (token + "&code=BBBB-BBBB", "application/x-www-form-urlencoded", 404),
        ] {
            let response = try await post(api, "/device", fields, cookie: session(api), type: type)
            #expect(response.status.code == status, "\(fields.suffix(20))")
            #expect(response.headers[.contentType] == "text/html; charset=utf-8")
            #expect(text(response).contains(#"role="alert""#))
        }
    }

    @Test func `a person who opens what takes a form alone reads a page, a program a problem`() async throws {
        let api = try await TestAPI.make()
        let page = try await get(api, "/sign-out")
        #expect(page.status == .methodNotAllowed && page.headers[.allow] == "POST")
        #expect(page.headers[.contentType] == "text/html; charset=utf-8")
    }

    @Test func `where no session could be kept the pages say what would help`() async throws {
        let api = try await TestAPI.make(origin: "http://gate.example")
        for path in ["/", "/sign-in", "/device"] {
            let page = try await get(api, path, cookie: "tidegate-80=\(api.cookie)")
            #expect(page.status == .forbidden && text(page).contains("--panel-url") && !text(page).contains("<form"))
        }
        #expect(try await post(api, "/sign-in", "name=admin", origin: "http://gate.example").status == .forbidden)
    }

    @Test func `outside ways to sign in are links that come back`() async throws {
        let api = try await TestAPI.make(ways: { returnTo in
            [OutsideWay(label: "<Harbour>", href: "/elsewhere?return_to=\(percentEncoded(returnTo.rawValue))")]
        })
        let page = try await get(api, "/sign-in?return_to=/device")
        #expect(text(page).contains(#"href="/elsewhere?return_to=%2Fdevice">Sign in with &lt;Harbour&gt;"#))
    }

    @Test func `what one session ends is one's own`() async throws {
        let api = try await TestAPI.make()
        let eve = try await api.gateway.addUser("eve")
        let (cookie, foreign) = try await api.gateway.openSession(eve)
        let refused = try await post(
            api, "/sessions/\(foreign.id)/end", "csrf=\(csrf(api))", cookie: session(api))
        #expect(refused.status == .notFound)
        #expect(try await get(api, "/", cookie: "__Host-tidegate=\(cookie)").status == .ok)
        let own = try await post(api, "/sessions/\(api.session.id)/end", "csrf=\(csrf(api))", cookie: session(api))
        #expect(own.headers[.location] == "/sign-in?notice=signed-out")
        #expect(cookies(own).contains { $0.hasPrefix("__Host-tidegate=;") })
        #expect(try await get(api, "/", cookie: session(api)).status == .seeOther)
    }
}
