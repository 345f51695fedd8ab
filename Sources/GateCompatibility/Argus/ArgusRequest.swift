import FoundationEssentials
import GateModel
import HTTPTypes
import Hummingbird
import NIOCore

/// Reading what Argus' clients send: fields that nobody here knows are passed over, for later versions send more.
extension Request {
    /// A JSON object of at most `limit` bytes, whatever its content type says: the original's clients send it on requests
    /// without a body too.
    func argusBody<Body: Decodable>(_ type: Body.Type, limit: Int = 64 << 10) async throws -> Body {
        let buffer: ByteBuffer
        do {
            if let length = headers[.contentLength].flatMap(Int.init), length > limit {
                throw NIOTooManyBytesError(maxBytes: limit)
            }
            buffer = try await body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw HTTPError(.contentTooLarge)
        }
        let data = Data(buffer.readableBytesView)
        guard !data.isEmpty else { throw ArgusFault("APIException", "The body is empty; a JSON object is expected") }
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch DecodingError.keyNotFound(let key, _) {
            throw ArgusFault("APIException", "\(key.stringValue) is required")
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context) {
            let field = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw ArgusFault("APIException", "\(field.isEmpty ? "The body" : field) has the wrong type")
        } catch {
            throw ArgusFault("APIException", "The body is not a JSON object")
        }
    }

    /// A query parameter; nil when it is missing or empty.
    func argusQuery(_ name: Substring) -> String? {
        uri.queryParameters[name].flatMap { $0.isEmpty ? nil : String($0) }
    }
}
