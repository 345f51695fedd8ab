import GateHTTP
import GateModel

/// What is around every page.
struct PageFrame: Sendable {
    struct Place: Sendable {
        let href: String
        let text: String
        let isHere: Bool
    }

    /// Whoever is signed in.
    struct Who: Sendable {
        let name: String
        let role: String
        let forgeryToken: String
        let places: [Place]
    }

    let title: String
    let stylesheet = Stylesheet.path
    /// The host that browsers reach the panel by.
    let gateway: String
    let visitor: Who?
    /// One column for a form.
    let isNarrow: Bool

    static let places = [("/", "Account"), ("/second-factor", "Second factor"), ("/device", "Sign a program in")]

    init(_ title: String, gateway: String, visitor: Visitor?, at path: String = "", isNarrow: Bool = true) {
        self.title = title
        self.gateway = gateway
        self.isNarrow = isNarrow
        self.visitor = visitor.map { visitor in
            Who(
                name: visitor.user.name, role: visitor.user.role.rawValue, forgeryToken: visitor.forgeryToken,
                places: Self.places.map { Place(href: $0.0, text: $0.1, isHere: $0.0 == path) })
        }
    }
}

/// What went wrong with a form, and what to do next.
struct PageFault: Sendable {
    let words: String
    let hint: String?
}

/// What was done before this page was opened. The query names it; the words are ours.
enum PageNotice: String, Sendable {
    case signedOut = "signed-out"
    case beginAgain = "begin-again"
    case sessionEnded = "session-ended"
    case secondFactorOff = "second-factor-off"
    case approved, denied

    var words: String {
        switch self {
        case .signedOut: "You are signed out. What your sessions had open is closed."
        case .beginAgain: "That took too long, or too many codes were wrong. Begin with the password again."
        case .sessionEnded: "The session is ended, and what it had open is closed."
        case .secondFactorOff: "The second factor is switched off."
        case .approved: "The program may act as you now. Its token is among yours: tidegate token list."
        case .denied: "The program was turned down and told so."
        }
    }
}
