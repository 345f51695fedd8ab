import GateControl
import Testing

@Suite struct OutboundURLTests {
    @Test(
        arguments: [
            ("https://fleet.example.org", "https://fleet.example.org/"),
            ("HTTPS://Fleet.Example.ORG:443/a/b?x=%2F&y", "https://fleet.example.org/a/b?x=%2F&y"),
            ("https://fleet.example.org:8443?x", "https://fleet.example.org:8443/?x"),
            ("https://10.0.0.5/", "https://10.0.0.5/"), ("https://[FD00:0::5]:1/", "https://[fd00::5]:1/"),
            ("https://fleet/", "https://fleet/"), ("https://3com.example/", "https://3com.example/"),
            ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ])
    func `a good URL has one spelling`(text: String, spelt: String) throws {
        #expect(try OutboundURL(text).text == spelt)
    }

    @Test(arguments: [
        "", "https", "https:", "https://", "https:///path", "//fleet.example.org", "ftp://fleet.example.org",
        "file:///etc/passwd", "unix:///run/x.sock", "http+unix://%2Frun%2Fx.sock/",
        // Plain http is readable on the way.
        "http://fleet.example.org/", "http://10.0.0.5/", "http://localhost/",
        "https://user@fleet.example.org/", "https://user:secret@fleet.example.org/", "https://@fleet.example.org/",
        "https://fleet.example.org/#x", "https://fleet.example.org#@169.254.169.254/",
        "https://fleet.example.org\\@169.254.169.254/", "https://fleet.example.org /", "https://fleet.example.org/a b",
        "https://fleet.example.org/\r\nHost: other", "https://fleet.example.org/\u{0}", "https://fleet.example.org/ü",
        "https://büro.example/", "https://fleet.example.org:0/", "https://fleet.example.org:65536/",
        "https://fleet.example.org:/", "https://fleet.example.org:+80/", "https://fleet.example.org:80:80/",
        "https://fleet.example.org./", "https://.example.org/", "https://a..b/", "https://-a.example/",
        "https://a-.example/", "https://a_b.example/", "https://%31%32%37.0.0.1/", "https://a%2eb/",
        // Numbers that the C library takes for addresses.
        "https://2130706433/", "https://127.1/", "https://0x7f000001/", "https://0x7f.0.0.0x1/", "https://010.0.0.1/",
        "https://1.2.3.4.5/", "https://256.0.0.1/",
        "https://[::1", "https://::1/", "https://[::1]x/", "https://[fe80::1%25eth0]/", "https://[127.0.0.1]/",
        "https://[]/",
    ])
    func `what may not be called is refused`(text: String) {
        #expect(throws: OutboundURL.Fault.self) { try OutboundURL(text, loopback: .literal) }
    }

    @Test(arguments: ["http://127.0.0.1:8080/", "http://[::1]/", "https://127.8.8.8/", "https://[::1]:8443/"])
    func `loopback is a literal that was meant`(text: String) throws {
        #expect(try OutboundURL(text, loopback: .literal).isLoopback)
        #expect(throws: OutboundURL.Fault.self) { try OutboundURL(text) }
    }

    @Test func `too long a text is refused, and no fault repeats the text`() {
        let fault = #expect(throws: OutboundURL.Fault.self) {
            try OutboundURL("https://fleet.example.org/" + String(repeating: "s3cret", count: 400))
        }
        #expect(fault?.description.contains("s3cret") == false)
    }

    @Test(arguments: [
        ("https://a.example", "https://a.example/api/v1"), ("https://a.example/", "https://a.example/api/v1"),
        ("https://a.example/base//?q=1", "https://a.example/base/api/v1"),
    ])
    func `a path goes behind the URL's own`(base: String, whole: String) throws {
        #expect(try OutboundURL(base).appending("/api/v1").text == whole)
    }

    @Test func `printing shows the origin, for a webhook's path may be its secret`() throws {
        let url = try OutboundURL("https://hooks.example/T0/s3cret?key=s3cret")
        let request = OutboundRequest(
            .webhook, .post, url, headers: [("Authorization", "Bearer s3cret")], body: Array("s3cret".utf8))
        #expect("\(url)" == "https://hooks.example")
        #expect(!"\(request)".contains("s3cret"))
        #expect(!String(reflecting: request).contains("s3cret"))
        var dumped = ""
        dump(request, to: &dumped)
        #expect(!dumped.contains("s3cret"))
    }
}
