import GateModel

/// Makes text from elsewhere safe to print.
public enum TerminalText {
    /// The text with everything that would move the cursor, colour, reorder or break the line written as `\u{…}`.
    public static func neutralised(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isUnprintable) else { return text }
        var safe = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if isUnprintable(scalar) {
                safe.append(contentsOf: "\\u{\(String(scalar.value, radix: 16, uppercase: true))}".unicodeScalars)
            } else {
                safe.append(scalar)
            }
        }
        return String(safe)
    }
}
