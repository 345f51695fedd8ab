import FoundationEssentials
import GateModel
import JWTKit

/// What a token says, by name. It is believed when `WebTokenRules` has looked at it, and not before.
struct WebTokenClaims: JWTPayload {
    enum Value: Codable, Sendable, Hashable {
        case text(String)
        case number(Double)
        case list([Value])
        /// Nothing that any rule here reads.
        case other

        init(from decoder: any Decoder) throws {
            if let value = try? decoder.singleValueContainer().decode(String.self) {
                self = .text(value)
            } else if let value = try? decoder.singleValueContainer().decode(Double.self) {
                self = .number(value)
            } else if let values = try? decoder.singleValueContainer().decode([Value].self) {
                self = .list(values)
            } else {
                self = .other
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .number(let number): try container.encode(number)
            case .list(let values): try container.encode(values)
            case .other: try container.encodeNil()
            }
        }
    }

    private let values: [String: Value]

    init(from decoder: any Decoder) throws {
        values = try decoder.singleValueContainer().decode([String: Value].self)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(values)
    }

    /// JWTKit calls this after the signature; the rules need to know what for, so they are asked separately.
    func verify(using algorithm: some JWTAlgorithm) {}

    func has(_ name: String) -> Bool { values[name] != nil }

    func text(_ name: String) -> String? {
        if case .text(let text) = values[name] { text } else { nil }
    }

    /// One text, or a list of nothing but texts; nil for anything else.
    func texts(_ name: String) -> [String]? {
        switch values[name] {
        case .text(let text): return [text]
        case .list(let values):
            let texts = values.compactMap { if case .text(let text) = $0 { text } else { nil } }
            return texts.count == values.count ? texts : nil
        default: return nil
        }
    }

    /// A NumericDate (RFC 7519, section 2).
    func time(_ name: String) -> Timestamp? {
        guard case .number(let seconds) = values[name], (0...253_402_300_799).contains(seconds) else { return nil }
        return Timestamp(microseconds: Int64(seconds * 1_000_000))
    }
}
