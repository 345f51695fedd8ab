public import GateModel
public import GateStore

/// The trail as syslog messages (RFC 5424): the facts as structured data, and the event's line as the message.
public enum SyslogMessage {
    /// "Log audit" of RFC 5424, table 1.
    private static let facility = 13
    /// Private enterprise number 32473 is set aside for whoever has none (RFC 5612).
    private static let element = "tidegate@32473"

    public static func event(_ stored: StoredAuditEvent, host: String) -> String {
        let event = stored.event
        let sequence = stored.sequence ?? 0
        return message(
            severity: event.severity, at: event.at, host: host, kind: event.action,
            data: [
                ("seq", String(sequence)), ("id", event.id.text), ("severity", event.severity.rawValue),
                ("outcome", event.outcome.rawValue), ("actor", event.actor), ("credential", event.credential),
                ("source", event.source), ("subject", event.subject),
            ], text: AuditLine.event(stored, sequence: sequence))
    }

    /// The anchor that goes out behind the events it covers.
    public static func seal(_ seal: AuditSeal, host: String) -> String {
        message(
            severity: .info, at: seal.at, host: host, kind: "audit.seal",
            data: [("gateway", seal.gateway.text), ("anchor", seal.anchor.description)], text: AuditLine.seal(seal))
    }

    /// The same without its last part, which the structured data stands for: for transports that carry only so much.
    public static func shortened(_ message: String, to limit: Int) -> String {
        guard message.utf8.count > limit, let end = message.firstRange(of: "\"] {") else { return message }
        return message[..<end.lowerBound] + "\"]"
    }

    /// Octet counting (RFC 6587, 3.4.1): the only framing in which no content can begin a message of its own.
    public static func framed(_ message: String) -> [UInt8] { Array("\(message.utf8.count) \(message)".utf8) }

    private static func message(
        severity: AuditEvent.Severity, at: Timestamp, host: String, kind: String, data: [(String, String)],
        text: String
    ) -> String {
        let level =
            switch severity {
            case .info: 6
            case .warning: 4
            case .error: 3
            case .critical: 2
            }
        let elements = data.filter { !$0.1.isEmpty }.map { " \($0.0)=\"\(escaped($0.1))\"" }.joined()
        return
            "<\(facility * 8 + level)>1 \(at.rfc3339) \(printable(host, 255)) tidegate - \(printable(kind, 32)) [\(element)\(elements)] \(text)"
    }

    /// PARAM-VALUE (6.3.3), and no control characters, which the line behind it has as escapes.
    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\", "]": escaped += "\\" + String(scalar)
            case _ where isUnprintable(scalar): escaped += "?"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// PRINTUSASCII without blanks; `-` for nothing (NILVALUE).
    private static func printable(_ text: String, _ limit: Int) -> String {
        let bytes = text.utf8.filter { (0x21...0x7E).contains($0) }.prefix(limit)
        return bytes.isEmpty ? "-" : String(decoding: bytes, as: UTF8.self)
    }
}
