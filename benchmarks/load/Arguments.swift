/// `--name value` and `--switch`, read once; what isn't known is refused.
struct Arguments {
    private var values: [String: [String]] = [:]
    private var switches: Set<String> = []

    init(_ words: [String], options: Set<String>, switches known: Set<String> = []) throws {
        var rest = words[...]
        while let word = rest.popFirst() {
            if known.contains(word) {
                switches.insert(word)
            } else if options.contains(word) {
                guard let value = rest.popFirst() else { throw UsageError(text: "\(word) lacks its value") }
                values[word, default: []].append(value)
            } else {
                throw UsageError(text: "'\(word)' isn't known")
            }
        }
    }

    func has(_ name: String) -> Bool { switches.contains(name) || values[name] != nil }

    func all(_ name: String) -> [String] { values[name] ?? [] }

    func optional(_ name: String) throws -> String? {
        let given = all(name)
        guard given.count <= 1 else { throw UsageError(text: "\(name) is given twice") }
        return given.first
    }

    func text(_ name: String) throws -> String {
        guard let value = try optional(name) else { throw UsageError(text: "\(name) is needed") }
        return value
    }

    func number(_ name: String, _ range: ClosedRange<Int>, default standard: Int? = nil) throws -> Int {
        guard let text = try optional(name) else {
            guard let standard else { throw UsageError(text: "\(name) is needed") }
            return standard
        }
        guard let value = Int(text), range.contains(value) else {
            throw UsageError(text: "\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// Seconds with a fraction, as microseconds.
    func seconds(_ name: String, upTo limit: Double, default standard: Double? = nil) throws -> Int64 {
        let value: Double
        if let text = try optional(name) {
            guard let given = Double(text), given > 0, given <= limit else {
                throw UsageError(text: "\(name) must be seconds, more than 0 and at most \(limit)")
            }
            value = given
        } else {
            guard let standard else { throw UsageError(text: "\(name) is needed") }
            value = standard
        }
        return Int64(value * 1_000_000)
    }
}
