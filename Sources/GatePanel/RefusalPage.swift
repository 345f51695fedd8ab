import GateHTTP
import GateWire
import Hummingbird

/// What can't be done, in the place of a page.
struct RefusalPage: Page {
    static let template = PageTemplate.refusal

    let frame: PageFrame
    let words: String
    let hint: String?
    /// Where to go next.
    let href: String
    let link: String
    /// The gateway has no sessions as it is set up; the page says what would help.
    let isUnavailable: Bool
    let origin: String
    let requestID: String
}

extension Panel {
    func refusal(_ problem: Problem, visitor: Visitor?, requestID: String) -> Response {
        // A form that was sent to another of the gateway's addresses than the panel's own is refused for that.
        let isForeign = problem.code == .csrfRefused
        let page = RefusalPage(
            frame: frame(Self.title(problem), visitor),
            words: problem.detail,
            hint: isForeign ? "The panel is at \(browser.text), and nowhere else." : Self.hint(problem),
            href: isForeign ? "\(browser.text)/" : "/", link: isForeign ? "Open the panel" : "Back to the start",
            isUnavailable: problem.code == .signInUnavailable, origin: browser.text, requestID: requestID)
        return answer(page, problem: problem)
    }

    private static func title(_ problem: Problem) -> String {
        switch problem.status {
        case 404: "Nothing is here"
        case 405: "Not like this"
        case 429: "Too many attempts"
        case 500...: "Not now"
        default: problem.code == .signInUnavailable ? "Nobody can sign in here" : "That was refused"
        }
    }
}
