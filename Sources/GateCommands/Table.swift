import GateClient
import GateModel

/// Rows under a header, columns aligned by what a terminal shows; every cell is neutralised here, so that no caller can
/// forget it.
package struct Table: Sendable {
    package let header: [String]
    package private(set) var rows: [[String]] = []

    package init(_ header: [String]) { self.header = header }

    /// Adds a row with one cell per column; an empty cell shows as `-`.
    package mutating func add(_ cells: [String]) {
        rows.append(
            header.indices.map { index in
                let text = index < cells.count ? TerminalText.neutralised(cells[index]) : ""
                return text.isEmpty ? "-" : text
            })
    }

    /// The lines with their line breaks; `bold` sets the header off with the terminal's own bold.
    package func text(bold: Bool = false) -> String {
        let widths = header.indices.map { index in
            (rows.map { Self.width($0[index]) } + [Self.width(header[index])]).max() ?? 0
        }
        var text = (bold ? "\u{1B}[1m" : "") + line(header, widths) + (bold ? "\u{1B}[0m" : "") + "\n"
        for row in rows { text += line(row, widths) + "\n" }
        return text
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        var text = ""
        for (index, cell) in cells.enumerated() {
            text += cell
            // No blanks at the end of a line: they would be copied along.
            guard index < cells.count - 1 else { break }
            text += String(repeating: " ", count: widths[index] - Self.width(cell) + 2)
        }
        return text
    }

    /// Columns on a terminal: wide East Asian characters and emoji take two, a cluster is as wide as its first scalar.
    static func width(_ text: String) -> Int {
        text.reduce(0) { sum, character in
            switch character.unicodeScalars.first?.value ?? 0 {
            case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
                0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
                sum + 2
            default: sum + 1
            }
        }
    }
}

extension Timestamp {
    /// RFC 3339 to the second, as tables show it.
    var shown: String { Timestamp(seconds: wholeSeconds).rfc3339 }
}

extension Timestamp? {
    var shown: String { map(\.shown) ?? "" }
}
