import FoundationEssentials
import GateModel

/// What `--json` prints: one document, keys sorted, safe to show on a terminal.
package enum JSONText {
    /// The value as an indented document without a line break at its end.
    package static func document(_ value: some Encodable) throws -> String {
        try encode(value, [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    }

    /// The value on one line.
    package static func line(_ value: some Encodable) throws -> String {
        try encode(value, [.sortedKeys, .withoutEscapingSlashes])
    }

    private static func encode(_ value: some Encodable, _ format: JSONEncoder.OutputFormatting) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = format
        return escaped(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// Escapes what an encoder may leave as it is: C1 controls move a cursor and bidi controls reorder a line just as
    /// well from inside a string. Outside strings JSON is ASCII, so nothing else is touched.
    package static func escaped(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            guard isUnprintable(scalar), scalar != "\n" else {
                result.append(scalar)
                continue
            }
            // All of them lie below U+FFFF, so no surrogates are needed.
            let digits = String(scalar.value, radix: 16)
            result.append(contentsOf: "\\u".unicodeScalars)
            result.append(contentsOf: (String(repeating: "0", count: 4 - digits.count) + digits).unicodeScalars)
        }
        return String(result)
    }
}
