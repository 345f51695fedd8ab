/// A statement whose interpolated values can only become bindings.
///
/// Its text is made of literals alone: both the literal type and the pieces between interpolations are
/// `StaticString`, so text that was computed or received at run time doesn't compile here.
public struct SQL: ExpressibleByStringInterpolation, Sendable {
    /// How an engine writes the place of a binding: `?` (SQLite) or `$1` (PostgreSQL).
    public enum Placeholders: Sendable { case question, dollar }

    /// The literal text around the bindings; always one more than there are bindings.
    private var segments: [String]
    /// The values in the order of their places.
    public private(set) var bindings: [SQLValue]

    /// Makes a statement without bindings.
    public init(stringLiteral value: StaticString) {
        segments = [value.description]
        bindings = []
    }

    /// Makes a statement of an interpolated literal.
    public init(stringInterpolation interpolation: StringInterpolation) { self = interpolation.statement }

    fileprivate init() {
        segments = [""]
        bindings = []
    }

    /// The text an engine prepares, with a placeholder for each binding.
    public func text(_ placeholders: Placeholders) -> String {
        var text = segments[0]
        for index in bindings.indices {
            switch placeholders {
            case .question: text += "?"
            case .dollar: text += "$\(index + 1)"
            }
            text += segments[index + 1]
        }
        return text
    }

    /// A parenthesised list of bindings for `IN`; no values give `(NULL)`, which nothing is in.
    public static func list(_ values: [some SQLBindable]) -> SQL {
        guard !values.isEmpty else { return "(NULL)" }
        return "(\(values.map { "\($0)" }.joined(by: ", ")))"
    }

    fileprivate mutating func append(literal: String) { segments[segments.count - 1] += literal }

    fileprivate mutating func append(binding: SQLValue) {
        bindings.append(binding)
        segments.append("")
    }

    fileprivate mutating func append(_ other: SQL) {
        append(literal: other.segments[0])
        for (binding, segment) in zip(other.bindings, other.segments.dropFirst()) {
            append(binding: binding)
            append(literal: segment)
        }
    }

    /// Collects the pieces of an interpolated literal.
    public struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var statement = SQL()

        /// Called by the compiler.
        public init(literalCapacity: Int, interpolationCount: Int) {}

        /// Called by the compiler for the text between interpolations.
        public mutating func appendLiteral(_ literal: StaticString) { statement.append(literal: literal.description) }

        /// Binds a value.
        public mutating func appendInterpolation(_ value: some SQLBindable) {
            statement.append(binding: value.sqlValue)
        }

        /// Binds a value, or NULL.
        public mutating func appendInterpolation(_ value: (some SQLBindable)?) {
            statement.append(binding: value?.sqlValue ?? .null)
        }

        /// Composes: puts another statement's text and bindings here.
        public mutating func appendInterpolation(_ fragment: SQL) { statement.append(fragment) }
    }
}

extension Sequence where Element == SQL {
    /// One statement of many, with `separator` between two of them.
    public func joined(by separator: SQL) -> SQL {
        var joined = SQL()
        for (index, fragment) in self.enumerated() {
            if index > 0 { joined.append(separator) }
            joined.append(fragment)
        }
        return joined
    }
}
