import GateHTTP
import Testing

@Suite struct LocalPathTests {
    @Test(arguments: ["/", "/device", "/a/b?c=d&e=%2F", "/~x/-._:@+,;!*'()"])
    func `a path of this gateway is taken as it stands`(text: String) {
        #expect(LocalPath(text)?.text == text)
    }

    @Test(arguments: [
        "", "device", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/a\\b",
        "https://evil.example", "javascript:alert(1)", "/\t/evil.example", "/\n/evil.example", "/a b", "/#x", "/ä",
        "/\u{0}", "/\"", "/<", "/a\r\nSet-Cookie: x=y", " /a", "/" + String(repeating: "a", count: 512),
    ])
    func `what leads elsewhere, or might, is none`(text: String) {
        #expect(LocalPath(text) == nil)
    }
}
