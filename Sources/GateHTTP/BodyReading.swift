import FoundationEssentials
import GateWire
import HTTPTypes
import Hummingbird
import NIOCore

extension Request {
    static let bodyLimit = 1 << 20

    /// Reads a JSON body into `Body`: 415 for another content type, 413 past the limit (by the announced length before a
    /// byte is read), 400 naming the field for anything unknown, missing or of the wrong type.
    func decode<Body: WireRequest>(_ type: Body.Type, limit: Int = bodyLimit) async throws -> Body {
        try requireKnownQuery([])
        guard let contentType = headers[.contentType] else {
            throw Problem(.unsupportedMediaType, "Send Content-Type: application/json.")
        }
        let media = contentType.split(separator: ";", maxSplits: 1).first.map { $0.filter { $0 != " " }.lowercased() }
        guard media == "application/json" else {
            throw Problem(.unsupportedMediaType, "Send Content-Type: application/json.")
        }
        if let length = headers[.contentLength].flatMap(Int.init), length > limit { throw tooLarge(limit) }
        let buffer: ByteBuffer
        do {
            buffer = try await body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw tooLarge(limit)
        }
        let data = Data(buffer.readableBytesView)
        guard !data.isEmpty else { throw Problem(.malformedRequest, "The body is empty; a JSON object is expected.") }
        guard String(validating: data, as: UTF8.self) != nil else {
            throw Problem(.malformedRequest, "The body is not UTF-8.")
        }
        do {
            return try JSONDecoder().decode(NamedFields<Body>.self, from: data).body
        } catch let error as DecodingError {
            throw Problem(reading: error)
        }
    }

    /// For a route that takes no fields: no body, or an empty JSON object.
    func requireEmptyBody() async throws { _ = try await decodeIfPresent(EmptyRequest.self) }

    /// For a route that needs no fields: nil without a body.
    func decodeIfPresent<Body: WireRequest>(_ type: Body.Type) async throws -> Body? {
        guard headers[.contentLength].flatMap(Int.init) ?? 0 > 0 || headers[.transferEncoding] != nil else {
            try requireKnownQuery([])
            return nil
        }
        return try await decode(type)
    }

    private func tooLarge(_ limit: Int) -> Problem {
        Problem(
            .bodyTooLarge,
            limit < 1 << 20
                ? "The body is larger than \(limit >> 10) KiB." : "The body is larger than \(limit >> 20) MiB.")
    }

    /// 400 for a query parameter the route doesn't read: a misspelt filter must not seem to have filtered.
    func requireKnownQuery(_ names: Set<String>) throws {
        for (name, _) in uri.queryParameters where !names.contains(String(name)) {
            throw Problem(
                .unknownField,
                names.isEmpty
                    ? "This path takes no query parameters."
                    : "Unknown query parameter; known are: \(names.sorted().joined(separator: ", ")).")
        }
    }
}

/// An object without fields.
private struct EmptyRequest: WireRequest {
    static let fieldNames: [String] = []
}

/// A body whose field names were looked at before its values, in one pass; a body that isn't an object is refused.
private struct NamedFields<Body: WireRequest>: Decodable {
    private struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    let body: Body

    init(from decoder: any Decoder) throws {
        let names = try decoder.container(keyedBy: Name.self).allKeys
        if let unknown = names.first(where: { !Body.fieldNames.contains($0.stringValue) })?.stringValue {
            let shown =
                unknown.utf8.count <= 64
                && unknown.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
            throw Problem(
                .unknownField,
                "Unknown field\(shown ? " '\(unknown)'" : ""); known are: \(Body.fieldNames.sorted().joined(separator: ", "))."
            )
        }
        body = try Body(from: decoder)
    }
}

extension Problem {
    /// Names the field and what was expected; never what was sent.
    fileprivate init(reading error: DecodingError) {
        func field(_ path: [any CodingKey], _ last: (any CodingKey)? = nil) -> String {
            (path + (last.map { [$0] } ?? [])).map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }
                .joined(separator: ".").replacing(".[", with: "[")
        }
        switch error {
        case .keyNotFound(let key, let context):
            self.init(.invalidField, "Field '\(field(context.codingPath, key))' is missing.")
        case .typeMismatch(let type, let context):
            let name = field(context.codingPath)
            self.init(
                name.isEmpty ? .malformedRequest : .invalidField,
                name.isEmpty ? "The body must be a JSON object." : "Field '\(name)' must be \(wireName(of: type)).")
        case .valueNotFound(let type, let context):
            self.init(.invalidField, "Field '\(field(context.codingPath))' must be \(wireName(of: type)), not null.")
        case .dataCorrupted(let context):
            let name = field(context.codingPath)
            self.init(
                name.isEmpty ? .malformedRequest : .invalidField,
                name.isEmpty
                    ? "The body is not valid JSON, or holds a number that is no whole one or out of range."
                    : "Field '\(name)' does not hold a valid value.")
        @unknown default: self.init(.malformedRequest, "The body could not be read.")
        }
    }
}

/// JSON's word for a Swift type.
private func wireName(of type: Any.Type) -> String {
    switch type {
    case is String.Type: "a string"
    case is Int.Type, is Int64.Type: "a whole number"
    case is Bool.Type: "true or false"
    case is [String].Type, is [Any].Type: "a list of strings"
    default: "of another type"
    }
}
