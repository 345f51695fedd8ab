import GateModel

/// A time as people read it, and as programs do.
package struct Moment: Sendable {
    /// RFC 3339.
    package let exact: String
    /// `2026-03-01 12:00 UTC`
    package let text: String
    /// `12:00 UTC`
    package let clock: String
    /// `3 minutes ago`; for what is to come, the same as `text`.
    package let ago: String

    package init(_ time: Timestamp, now: Timestamp) {
        let c = time.civil
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        exact = time.rfc3339
        clock = "\(two(c.hour)):\(two(c.minute)) UTC"
        let text = "\(c.year)-\(two(c.month))-\(two(c.day)) \(two(c.hour)):\(two(c.minute)) UTC"
        self.text = text
        ago = time > now ? text : Self.ago((now - time).components.seconds)
    }

    private static func ago(_ seconds: Int64) -> String {
        func times(_ count: Int64, _ word: String) -> String { "\(count) \(word)\(count == 1 ? "" : "s") ago" }
        return switch seconds {
        case ..<10: "just now"
        case ..<60: "\(seconds) seconds ago"
        case ..<3_600: times(seconds / 60, "minute")
        case ..<86_400: times(seconds / 3_600, "hour")
        default: times(seconds / 86_400, "day")
        }
    }
}

/// A scope in people's words.
package struct ScopeWords: Sendable {
    package let scope: String
    package let words: String
    /// Over who may do what, and over what is written down.
    package let isGrave: Bool

    package static func all(_ scopes: Scopes) -> [ScopeWords] {
        scopes.names.map { name in
            ScopeWords(
                scope: name, words: words[name] ?? name,
                isGrave: name == "access:write" || name == "tenants" || name == "drain")
        }
    }

    private static let words = [
        "machines:read": "see machines", "machines:write": "add, change and remove machines",
        "keys": "register keys to reach machines", "tokens": "make and revoke tokens of yours",
        "connections:read": "see live connections", "audit:read": "read the audit trail",
        "access:read": "see users and grants", "access:write": "change users and grants",
        "key-lookup": "look up tunnel keys", "proxies:write": "add and change proxies",
        "drain": "take the gateway out of service", "tenants": "make tenants",
    ]
}

extension Role {
    var words: String {
        switch self {
        case .admin: "Administrator: everything, on every machine."
        case .operator: "Operator: runs machines, and reaches those that grants name."
        case .viewer: "Viewer: sees and reaches the machines that grants name."
        case .tunnelHost, .drain: "A program."
        }
    }
}
