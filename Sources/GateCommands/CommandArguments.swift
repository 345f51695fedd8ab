import ArgumentParser
import GateModel

/// A span of time on the command line: `90s`, `15m`, `12h`, `30d`, `1h30m` or seconds.
package struct TimeSpan: ExpressibleByArgument, Hashable, Sendable {
    package let seconds: Int

    package init?(argument: String) {
        guard let duration = Duration(text: argument) else { return nil }
        seconds = Int(duration.components.seconds)
    }
}

/// Reads names before anything is sent, so that a slip of the pen is told with the rule it breaks and exit code 64.
enum Checked {
    static func name<Name: CheckedName>(_ type: Name.Type, _ text: String, _ what: String) throws {
        guard Name(rawValue: text) == nil else { return }
        throw ValidationError("\(what) has \(Name.rule)")
    }

    /// A machine's name or agent id; every name is a well-formed agent id too.
    static func machine(_ text: String) throws { try name(AgentID.self, text, "a machine's name or agent id") }

    static func machines(_ texts: [String]) throws {
        for text in texts { try machine(text) }
    }

    static func tags(_ texts: [String]) throws {
        for text in texts { try name(Tag.self, text, "a tag") }
    }

    static func scopes(_ texts: [String]) throws {
        for text in texts where Scopes(name: text) == nil {
            throw ValidationError("a scope is one of \(Scopes.names.joined(separator: ", "))")
        }
    }

    static func label(_ text: String?, _ what: String) throws {
        if let text { try name(Label.self, text, what) }
    }

    static func id(_ text: String) throws {
        guard ID<Never>(text) == nil else { return }
        throw ValidationError("an id is a UUID, as the list shows it")
    }
}
