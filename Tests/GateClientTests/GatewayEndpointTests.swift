import GateClient
import Testing

@Suite struct GatewayEndpointTests {
    @Test(arguments: [
        ("https://gate.example.org", "https://gate.example.org"),
        ("HTTPS://Gate.Example.ORG:443/", "https://gate.example.org"),
        ("https://gate.example.org:8443/tide/gate/", "https://gate.example.org:8443/tide/gate"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://127.0.0.1:12000", "http://127.0.0.1:12000"),
        ("http://127.65.0.9", "http://127.65.0.9"),
        ("http://[::1]:12000", "http://[::1]:12000"),
    ])
    func takes(text: String, normal: String) throws {
        #expect(try GatewayEndpoint(text).description == normal)
    }

    @Test(arguments: [
        "", "gate.example.org", "ftp://gate.example.org", "https://", "https:///path", "https://user@gate.example.org",
        "https://user:word@gate.example.org", "https://gate.example.org/?token=x", "https://gate.example.org/#x",
        "https://gate.example.org:0", "https://gate.example.org:65536", "https://gate.example.org:+1",
        "https://gate.example.org:", "https://gate.example.org/../x", "https://gate.example.org//x",
        "https://gate example.org", "https://gate.example.org\n", "https://-gate", "https://[::1", "https://[gate]",
        "https://gäte.example.org", "https://gate.example.org/%2e%2e",
    ])
    func refuses(text: String) {
        #expect(throws: RefusedURL.self) { try GatewayEndpoint(text) }
    }

    @Test(arguments: [
        "http://gate.example.org", "http://192.0.2.1:12000", "http://localhost:12000", "http://127.1:12000",
        "http://127.0.0.1.example.org", "http://0127.0.0.1", "http://127.0.0.01", "http://[::ffff:127.0.0.1]",
        "http://0.0.0.0:12000", "http://[::]:12000", "http://128.0.0.1",
    ])
    func refusesPlainHTTPOffTheLoopback(text: String) {
        #expect(throws: RefusedURL.self) { try GatewayEndpoint(text) }
    }

    @Test func saysWhatToWriteInsteadOfLocalhost() {
        let error = #expect(throws: RefusedURL.self) { try GatewayEndpoint("http://localhost:12000") }
        #expect(error?.description.contains("http://127.0.0.1:12000") == true)
    }
}
