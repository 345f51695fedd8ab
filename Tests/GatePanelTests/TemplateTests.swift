import GateModel
import GatePanel
import Testing

@Suite struct TemplateTests {
    private let pages = PageTemplate.allCases

    @Test func `no template takes a value unescaped, or as anything but text and quoted attributes`() {
        for page in pages {
            #expect(!page.text.contains("{{{") && !page.text.contains("{{&"), "\(page)")
            // `href={{x}}` would let a blank begin a further attribute.
            #expect(page.text.firstMatch(of: /=\{\{/) == nil, "\(page)")
        }
    }

    @Test func `no template holds what the policy refuses`() {
        for page in pages {
            for pattern in [/<script/, /<style/, /\sstyle=/, /\son[a-z]+=/, /javascript:/] {
                #expect(page.text.firstMatch(of: pattern) == nil, "\(page)")
            }
        }
    }

    @Test func `links lead nowhere that a value could choose, but for the few that are ours`() {
        let ours = ["stylesheet", "href", "uri"]
        for page in pages {
            for match in page.text.matches(of: /(?:href|action|src)="\{\{([^}]*)\}\}/) {
                let name = String(match.output.1.split(separator: ".").last ?? "")
                #expect(ours.contains(name), "\(page): \(name)")
            }
        }
    }

    @Test func `every form names its session, but for those that begin one`() {
        for page in pages {
            for form in page.text.split(separator: "<form").dropFirst() {
                let form = form.prefix { $0 != ">" } + form.drop { $0 != ">" }.split(separator: "</form>")[0]
                #expect(form.contains("method=\"post\""), "\(page)")
                #expect(form.contains("name=\"csrf\"") || form.contains("action=\"/sign-in"), "\(page)")
            }
        }
    }

    @Test func `every field has a label`() {
        for page in pages {
            for match in page.text.matches(of: /<input class="[^"]*" id="([^"]*)"/) {
                #expect(page.text.contains("<label for=\"\(match.output.1)\">"), "\(page): \(match.output.1)")
            }
        }
    }
}

@Suite struct PageTextTests {
    private let now = Timestamp(rfc3339: "2026-03-01T12:00:00Z") ?? Timestamp(microseconds: 0)

    @Test(arguments: [
        (0, "just now"), (9, "just now"), (10, "10 seconds ago"), (59, "59 seconds ago"), (60, "1 minute ago"),
        (3_599, "59 minutes ago"), (3_600, "1 hour ago"), (86_399, "23 hours ago"), (86_400, "1 day ago"),
        (30 * 86_400, "30 days ago"),
    ])
    func `how long ago something was`(seconds: Int, words: String) {
        #expect(Moment(now + .seconds(-seconds), now: now).ago == words)
    }

    @Test func `a time is told with its zone, and what is to come by its time`() {
        let moment = Moment(now + .seconds(-7_141), now: now)
        #expect(moment.text == "2026-03-01 10:00 UTC" && moment.clock == "10:00 UTC")
        #expect(moment.exact == "2026-03-01T10:00:59Z")
        #expect(Moment(now + .seconds(60), now: now).ago == "2026-03-01 12:01 UTC")
    }

    @Test func `every scope has words of its own`() {
        let all = ScopeWords.all(Role.admin.scopes.union(.tenants))
        #expect(Set(all.map(\.scope)) == Set(Scopes.names))
        for scope in all { #expect(scope.words != scope.scope) }
        #expect(all.filter(\.isGrave).map(\.scope).contains("access:write"))
    }
}
