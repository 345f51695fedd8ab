import GateClient

/// One thing's facts, a line each: what `show` prints.
package struct FactSheet: Sendable {
    private var facts: [(name: String, value: String)] = []

    package init() {}

    /// Adds a fact; an empty value shows as `-`, several values take a line each.
    package mutating func add(_ name: String, _ values: String...) { add(name, values) }

    package mutating func add(_ name: String, _ values: [String]) {
        let shown = values.isEmpty ? [""] : values
        for (index, value) in shown.enumerated() {
            let text = TerminalText.neutralised(value)
            facts.append((index == 0 ? name : "", text.isEmpty ? "-" : text))
        }
    }

    package var text: String {
        let width = facts.map { Table.width($0.name) }.max() ?? 0
        return facts.map { name, value in
            name + String(repeating: " ", count: width - Table.width(name) + 2) + value + "\n"
        }.joined()
    }
}
