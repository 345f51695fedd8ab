/// A JSON document (RFC 8259) as a tree, members in the order given; for text that came from elsewhere and is looked
/// through before it is written down.
package indirect enum JSONTree: Hashable, Sendable {
    /// `null`, `true`, `false` and numbers, as they were written.
    case word(String)
    case text(String)
    case list([JSONTree])
    case members([Member])

    package struct Member: Hashable, Sendable {
        package let name: String
        package let value: JSONTree

        package init(_ name: String, _ value: JSONTree) {
            self.name = name
            self.value = value
        }
    }

    /// The document on one line.
    package var line: String {
        switch self {
        case .word(let word): word
        case .text(let text): Self.quoted(text)
        case .list(let items): "[" + items.map(\.line).joined(separator: ",") + "]"
        case .members(let members):
            "{" + members.map { Self.quoted($0.name) + ":" + $0.value.line }.joined(separator: ",") + "}"
        }
    }

    /// A JSON string. **These ranges are part of the sealed trail's format** (docs/decisions/0017): a line is made anew
    /// from its row when the trail is verified, years later, and has to come out the same to the byte.
    package static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22: quoted += "\\\""
            case 0x5C: quoted += "\\\\"
            case 0x00...0x1F, 0x7F...0x9F, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF:
                let hex = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    /// Nil for what isn't one whole document, and for one nested deeper than 64.
    package init?(parsing text: String) {
        var parser = Parser(bytes: Array(text.utf8))
        guard let tree = parser.value(depth: 0) else { return nil }
        parser.skipBlanks()
        guard parser.position == parser.bytes.count else { return nil }
        self = tree
    }

    private struct Parser {
        let bytes: [UInt8]
        var position = 0

        var next: UInt8? { position < bytes.count ? bytes[position] : nil }

        mutating func skipBlanks() {
            while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
        }

        mutating func take(_ character: Character) -> Bool {
            skipBlanks()
            guard next == character.asciiValue else { return false }
            position += 1
            return true
        }

        mutating func value(depth: Int) -> JSONTree? {
            guard depth <= 64 else { return nil }
            skipBlanks()
            switch next {
            case UInt8(ascii: "{"): return members(depth: depth)
            case UInt8(ascii: "["): return list(depth: depth)
            case UInt8(ascii: "\""): return string().map { .text($0) }
            default:
                let start = position
                while let byte = next, isWord(byte) { position += 1 }
                guard position > start else { return nil }
                return .word(String(decoding: bytes[start..<position], as: UTF8.self))
            }
        }

        private func isWord(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || "+-.".utf8.contains(byte)
        }

        private mutating func members(depth: Int) -> JSONTree? {
            guard take("{") else { return nil }
            var members: [Member] = []
            if take("}") { return .members(members) }
            repeat {
                skipBlanks()
                guard let name = string(), take(":"), let value = value(depth: depth + 1) else { return nil }
                members.append(Member(name, value))
            } while take(",")
            return take("}") ? .members(members) : nil
        }

        private mutating func list(depth: Int) -> JSONTree? {
            guard take("[") else { return nil }
            var items: [JSONTree] = []
            if take("]") { return .list(items) }
            repeat {
                guard let item = value(depth: depth + 1) else { return nil }
                items.append(item)
            } while take(",")
            return take("]") ? .list(items) : nil
        }

        private mutating func string() -> String? {
            guard next == UInt8(ascii: "\"") else { return nil }
            position += 1
            var text: [UInt8] = []
            while let byte = next {
                position += 1
                switch byte {
                case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
                case UInt8(ascii: "\\"):
                    guard let escaped = next else { return nil }
                    position += 1
                    switch escaped {
                    case UInt8(ascii: "n"): text.append(0x0A)
                    case UInt8(ascii: "t"): text.append(0x09)
                    case UInt8(ascii: "r"): text.append(0x0D)
                    case UInt8(ascii: "b"): text.append(0x08)
                    case UInt8(ascii: "f"): text.append(0x0C)
                    case UInt8(ascii: "u"):
                        guard let scalar = escapedScalar() else { return nil }
                        text += Array(String(Character(scalar)).utf8)
                    default: text.append(escaped)
                    }
                default: text.append(byte)
                }
            }
            return nil
        }

        private mutating func escapedScalar() -> Unicode.Scalar? {
            guard let high = hex() else { return nil }
            guard (0xD800...0xDBFF).contains(high) else { return Unicode.Scalar(high) ?? "\u{FFFD}" }
            guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
                bytes[position + 1] == UInt8(ascii: "u")
            else { return "\u{FFFD}" }
            position += 2
            guard let low = hex() else { return nil }
            guard (0xDC00...0xDFFF).contains(low) else { return "\u{FFFD}" }
            return Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
        }

        private mutating func hex() -> UInt32? {
            guard position + 4 <= bytes.count else { return nil }
            defer { position += 4 }
            return UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
        }
    }
}
