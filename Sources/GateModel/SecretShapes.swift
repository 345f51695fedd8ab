/// Finds credentials in text by what they look like. It would rather take too much: a trail that hides a word is a
/// nuisance, one that holds a password is a leak nobody can take back.
enum SecretShapes {
    /// `pairs`: also the value in `name=value` and `"name": "value"` where the name says that it is secret.
    static func redacted(_ text: String, pairs: Bool) -> String {
        // A private key in PEM: nothing around it is worth the risk of cutting in the wrong place.
        if text.contains("PRIVATE KEY") { return AuditRedaction.mark }
        var scan = SecretScan(bytes: Array(text.utf8), pairs: pairs)
        return scan.run() ?? text
    }
}

private let mark = Array(AuditRedaction.mark.utf8)

/// Prefixes of credentials, ours and those of services that stand beside us.
private let prefixes: [[UInt8]] =
    (CredentialKind.allCases.map(\.rawValue)
    + [
        "mcn_", "mul_", "mdt_", "mat_", "tgt_", "tgv_", "tgr_", "tgd_", "ghp_", "gho_", "github_pat_", "glpat-",
        "xoxb-", "sk-",
    ]).map { Array($0.utf8) }

/// Letters a prefix begins with: most bytes of a text are none of these.
private let isFirstLetter: [Bool] = (UInt8.min...UInt8.max).map { byte in prefixes.contains { $0.first == byte } }

private struct SecretScan {
    let bytes: [UInt8]
    let pairs: Bool
    var output: [UInt8] = []
    var position = 0

    /// Nil when there was nothing to take out.
    mutating func run() -> String? {
        var isChanged = false
        output.reserveCapacity(bytes.count)
        while position < bytes.count {
            guard let end = secretEnd() else {
                output.append(bytes[position])
                position += 1
                continue
            }
            isChanged = true
            output += mark
            position = end
        }
        return isChanged ? String(decoding: output, as: UTF8.self) : nil
    }

    /// The end of a secret that begins here.
    private func secretEnd() -> Int? {
        let byte = bytes[position]
        if isFirstLetter[Int(byte)] {
            for prefix in prefixes where hasPrefix(prefix) {
                let end = runEnd(position + prefix.count) { isBase64URL($0) }
                if end - position - prefix.count >= 8 { return end }
            }
        }
        let before = position > 0 ? bytes[position - 1] : 0x20
        if !isBase64URL(before) {
            if (0x61...0x7A).contains(byte), let end = generic() ?? webToken() { return end }
            if before == 0x20, let end = afterScheme() { return end }
            if before == UInt8(ascii: "/"), let end = userInfo() { return end }
        }
        return pairs && "=: \t".utf8.contains(before) ? valueOfSecretName() : nil
    }

    /// Two to four small letters, a dash below, twenty characters with a digit or a capital among them.
    private func generic() -> Int? {
        var letters = position
        while letters < bytes.count, letters - position < 5, (0x61...0x7A).contains(bytes[letters]) { letters += 1 }
        guard (2...4).contains(letters - position), letters < bytes.count, bytes[letters] == UInt8(ascii: "_") else {
            return nil
        }
        let end = runEnd(letters + 1) { isBase64URL($0) }
        guard end - letters > 20,
            bytes[(letters + 1)..<end].contains(where: { (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) })
        else { return nil }
        return end
    }

    /// A JSON Web Token (RFC 7519): parts with dots between them, the first of which begins with `{"`.
    private func webToken() -> Int? {
        guard bytes[position...].starts(with: "eyJ".utf8) else { return nil }
        let head = runEnd(position) { isBase64URL($0) }
        guard head - position >= 8, head < bytes.count, bytes[head] == UInt8(ascii: ".") else { return nil }
        return runEnd(head) { isBase64URL($0) || $0 == UInt8(ascii: ".") }
    }

    /// What follows `Bearer ` or `Basic ` (RFC 9110, 11.4).
    private func afterScheme() -> Int? {
        let before = output.suffix(7).map { $0 | 0x20 }
        guard before.elementsEqual("bearer ".utf8) || before.suffix(6).elementsEqual("basic ".utf8) else { return nil }
        let end = runEnd(position) { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: ",") }
        return end - position >= 4 ? end : nil
    }

    /// `user:password` of a URL.
    private func userInfo() -> Int? {
        guard output.suffix(3).elementsEqual("://".utf8) else { return nil }
        let end = runEnd(position) { $0 > 0x20 && !"/?#@\"".utf8.contains($0) }
        guard end < bytes.count, bytes[end] == UInt8(ascii: "@"), bytes[position..<end].contains(UInt8(ascii: ":"))
        else { return nil }
        return end
    }

    private func valueOfSecretName() -> Int? {
        guard let name = nameBefore(), AuditRedaction.isSecret(name: name.text) else { return nil }
        let byte = bytes[position]
        guard byte != 0x20, byte != 0x09, byte != UInt8(ascii: "=") else { return nil }
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
            var end = position + 1
            while end < bytes.count, bytes[end] != byte { end += bytes[end] == UInt8(ascii: "\\") ? 2 : 1 }
            return min(end + 1, bytes.count)
        }
        // An object, a list, a quote within a quote: where they end isn't to be known here.
        if "{[\\".utf8.contains(byte) { return bytes.count }
        if name.isAssigned || name.isQuoted {
            let end = runEnd(position) { $0 > 0x20 && !"&;,}])\"'".utf8.contains($0) }
            let word = bytes[position..<end].map { $0 | 0x20 }
            let isScheme = word.elementsEqual("bearer".utf8) || word.elementsEqual("basic".utf8)
            return isScheme ? bytes.count : end > position ? end : nil
        }
        // `state: closed` in a sentence is none, and neither is `access-token:` before an id.
        guard name.text.utf8.count >= 6 else { return nil }
        let word = String(decoding: bytes[position..<runEnd(position) { $0 > 0x20 }], as: UTF8.self)
        return ID<AuditEvent>(word) == nil ? bytes.count : nil
    }

    /// The name that stands before a `=` or `:` right before here, blanks and quotes left out.
    private func nameBefore() -> (text: String, isAssigned: Bool, isQuoted: Bool)? {
        var index = position - 1
        while index >= 0, bytes[index] == 0x20 || bytes[index] == 0x09 { index -= 1 }
        guard index >= 0, bytes[index] == UInt8(ascii: "=") || bytes[index] == UInt8(ascii: ":") else { return nil }
        let isAssigned = bytes[index] == UInt8(ascii: "=")
        index -= 1
        var isQuoted = false
        while index >= 0, " \t\"'\\".utf8.contains(bytes[index]) {
            isQuoted = isQuoted || bytes[index] > 0x20
            index -= 1
        }
        let end = index + 1
        while index >= 0, isBase64URL(bytes[index]), end - index <= 64 { index -= 1 }
        guard index + 1 < end else { return nil }
        return (String(decoding: bytes[(index + 1)..<end], as: UTF8.self), isAssigned, isQuoted)
    }

    private func hasPrefix(_ prefix: [UInt8]) -> Bool {
        position + prefix.count <= bytes.count && bytes[position..<(position + prefix.count)].elementsEqual(prefix)
    }

    private func runEnd(_ start: Int, while condition: (UInt8) -> Bool) -> Int {
        var end = start
        while end < bytes.count, condition(bytes[end]) { end += 1 }
        return end
    }

    private func isBase64URL(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }
}
