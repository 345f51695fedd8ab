/// A request body whose field names are known, so that a misspelt one is refused by name instead of ignored.
public protocol WireRequest: Decodable, Sendable {
    static var fieldNames: [String] { get }
}
