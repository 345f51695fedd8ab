import GateModel
import Testing

@Suite struct NameTests {
    /// What no name may hold: each would break a key line, a log line, a pattern or a terminal.
    static let poison = [
        "a b", "a\tb", "a\nb", "a\rb", "a\u{0}b", "a\u{7F}b", "a\u{1B}[2J", "a\u{85}b", "a\u{2028}b", "a\u{202E}b",
        "a\u{2066}b", "a\u{FEFF}b", "a\u{301}b", "é", "e\u{301}", "ａ", "a*", "a?", "!a", "a,b", "a\"b", "a'b", "a\\b",
        "a%b", "a$b", "a`b", "a;b", "a|b", "a&b", "a#b", "-a", "-oProxyCommand=x", "",
    ]

    @Test(arguments: poison)
    func `poison is no name of any kind`(text: String) {
        #expect(AgentID(rawValue: text) == nil)
        #expect(MachineName(rawValue: text) == nil)
        #expect(LoginName(rawValue: text) == nil)
        #expect(Tag(rawValue: text) == nil)
    }

    @Test(arguments: ["a", "A", "7", "web-1.example.org", "urn:x:1", "A_b", String(repeating: "a", count: 128)])
    func `agent ids`(text: String) {
        #expect(AgentID(rawValue: text)?.rawValue == text)
        #expect(AgentID(rawValue: text).map { "\($0)" } == text)
    }

    @Test(arguments: [".a", "_a", ":a", "a/b", "a=b", String(repeating: "a", count: 129)])
    func `no agent ids`(text: String) { #expect(AgentID(rawValue: text) == nil) }

    @Test(arguments: ["a", "7", "web-1", "a--b", String(repeating: "a", count: 63)])
    func `machine names`(text: String) { #expect(MachineName(rawValue: text)?.rawValue == text) }

    @Test(arguments: ["A", "a-", "a.b", "a_b", "a:b", String(repeating: "a", count: 64)])
    func `no machine names`(text: String) { #expect(MachineName(rawValue: text) == nil) }

    @Test(arguments: ["a", "_", "_apt", "a.b-c_d", "a1", String(repeating: "a", count: 32)])
    func `login names`(text: String) { #expect(LoginName(rawValue: text)?.rawValue == text) }

    @Test(arguments: ["1a", ".a", "A", "a$", "a:b", String(repeating: "a", count: 33)])
    func `no login names`(text: String) { #expect(LoginName(rawValue: text) == nil) }

    @Test(arguments: ["a", "env=prod", "a:b/c.d_e-f", String(repeating: "a", count: 64)])
    func `tags`(text: String) { #expect(Tag(rawValue: text)?.rawValue == text) }

    @Test(arguments: ["A", "=a", "/a", ".a", String(repeating: "a", count: 65)])
    func `no tags`(text: String) { #expect(Tag(rawValue: text) == nil) }

    @Test(arguments: [
        "", "Werk Süd, Halle 3", "日本語", "e\u{301}", "a\"b\\c", "👩‍💻", String(repeating: "ä", count: 100),
    ])
    func `labels`(text: String) { #expect(Label(rawValue: text)?.rawValue == text) }

    @Test(arguments: [
        "a\u{0}", "a\nb", "a\rb", "\u{1B}]0;x\u{7}", "a\u{7F}", "a\u{9B}31m", "a\u{2028}b", "a\u{2029}b", "a\u{202E}b",
        "a\u{2069}b", "a\u{200F}b", "a\u{061C}b", "\u{FEFF}a", String(repeating: "ä", count: 101), "a\r\n",
    ])
    func `no labels`(text: String) { #expect(Label(rawValue: text) == nil) }
}
