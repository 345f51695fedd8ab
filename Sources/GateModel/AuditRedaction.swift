/// Takes secrets out of what is about to be written down for good: by the name beside a value, at any depth of JSON, and
/// by the shapes credentials have, wherever they stand. A `Secret` needs none of this: it prints as `[redacted]` itself.
public enum AuditRedaction {
    public static let mark = "[redacted]"
    /// Bytes of one value; what is longer is cut.
    static let valueLimit = 2_048
    /// Bytes of a value that are looked through; what lies behind them is cut off before.
    private static let readLimit = 65_536

    /// One named value, fit to be stored.
    public static func value(_ text: String, named name: String) -> String {
        isSecret(name: name) ? mark : cut(redacted(cut(text, to: readLimit), depth: 0), to: valueLimit)
    }

    /// Text that names something: an actor, a source, a subject. `token:ID` there is a name, not a token.
    public static func name(_ text: String) -> String {
        cut(SecretShapes.redacted(cut(text, to: readLimit), pairs: false), to: valueLimit)
    }

    /// Whether a value of this name is secret whatever it looks like.
    public static func isSecret(name: String) -> Bool {
        let word = folded(name)
        if whole.contains(word) { return true }
        guard parts.contains(where: { word.contains($0) }) else { return false }
        return !harmlessEndings.contains { word.hasSuffix($0) }
    }

    private static let whole: Set<String> = [
        "code", "state", "ticket", "pin", "otp", "totp", "seed", "pwd", "pass", "jwt", "nonce", "hmac", "mac",
        "signature", "auth",
    ]
    private static let parts = [
        "password", "passwd", "passphrase", "secret", "token", "authorization", "authorisation", "cookie", "apikey",
        "privatekey", "accesskey", "signingkey", "credential", "verifier", "bearer",
    ]
    /// `token_id`, `secret_expires_at`: facts about a credential.
    private static let harmlessEndings = [
        "id", "ids", "kind", "type", "count", "prefix", "label", "at", "ttl", "lifetime", "until", "scopes",
    ]

    private static func folded(_ name: String) -> String {
        name.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
    }

    private static func redacted(_ text: String, depth: Int) -> String {
        guard let first = text.first(where: { !$0.isWhitespace }), "{[\"".contains(first) else { return shapes(text) }
        // JSON in a string of JSON, and so on: nobody nests it deeper who means well.
        guard depth < 8 else { return mark }
        guard let tree = JSONTree(parsing: text) else { return shapes(text) }
        return redacted(tree, depth: depth).line
    }

    private static func redacted(_ tree: JSONTree, depth: Int) -> JSONTree {
        switch tree {
        case .word: tree
        case .text(let text): .text(redacted(text, depth: depth + 1))
        case .list(let items): .list(items.map { redacted($0, depth: depth) })
        case .members(let members):
            .members(
                members.map { member in
                    let name = shapes(member.name)
                    return .init(
                        name, isSecret(name: member.name) ? .text(mark) : redacted(member.value, depth: depth))
                })
        }
    }

    /// At most `limit` bytes, never half a character.
    static func cut(_ text: String, to limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        var kept = Substring(text)
        var count = text.utf8.count
        while count > limit - 3, let last = kept.popLast() { count -= last.utf8.count }
        return kept + "…"
    }

    private static func shapes(_ text: String) -> String { SecretShapes.redacted(text, pairs: true) }
}

extension AuditEvent {
    /// Bytes of all values of one event's details together.
    private static let detailsLimit = 8_192

    /// As it may be stored: without secrets, every text bounded, no control characters, 32 details at most and each name
    /// once.
    public var redacted: AuditEvent {
        var event = self
        event.action = Self.clean(action, 64)
        event.actor = Self.clean(actor, 256)
        event.credential = Self.clean(credential, 256)
        event.source = Self.clean(source, 256)
        event.subject = Self.clean(subject, 256)
        var names: Set<String> = []
        var room = Self.detailsLimit
        event.details = details.prefix(32).compactMap { name, value in
            let name = Self.clean(name, 64)
            guard names.insert(name).inserted else { return nil }
            let value = AuditRedaction.cut(AuditRedaction.value(value, named: name), to: max(room, 16))
            room -= value.utf8.count
            return (name, value)
        }
        return event
    }

    private static func clean(_ text: String, _ limit: Int) -> String {
        var scalars = String.UnicodeScalarView()
        // A NUL would make the store refuse the fact the event tells of.
        for scalar in text.unicodeScalars { scalars.append(isUnprintable(scalar) ? "\u{FFFD}" : scalar) }
        return AuditRedaction.cut(AuditRedaction.name(String(scalars)), to: limit)
    }
}
