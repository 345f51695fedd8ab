import GateWire
import HTTPTypes
import Hummingbird
import NIOCore

/// The fields of an `application/x-www-form-urlencoded` body (URL Standard, section 5), each at most once; an absent one
/// reads as empty.
public struct Form: Sendable {
    /// A password of 1 KiB with every byte escaped fits three times.
    static let bodyLimit = 8 << 10

    private let fields: [String: String]

    init(_ fields: [String: String] = [:]) { self.fields = fields }

    public subscript(_ name: String) -> String { fields[name] ?? "" }

    /// Nil for a field that is absent or empty: browsers send what nobody filled in.
    public func filled(_ name: String) -> String? { fields[name].flatMap { $0.isEmpty ? nil : $0 } }
}

extension Request {
    /// Reads a form: 415 for another content type, 413 past the limit, 400 for what is no form.
    func form() async throws -> Form {
        let media = headers[.contentType]?.split(separator: ";", maxSplits: 1).first.map { $0.filter { $0 != " " } }
        guard media?.lowercased() == "application/x-www-form-urlencoded" else {
            throw Problem(.unsupportedMediaType, "This page takes a form that a browser sends.")
        }
        let tooLarge = Problem(.bodyTooLarge, "The form is larger than 8 KiB.")
        if let length = headers[.contentLength].flatMap(Int.init), length > Form.bodyLimit { throw tooLarge }
        let buffer: ByteBuffer
        do {
            buffer = try await body.collect(upTo: Form.bodyLimit)
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
        guard let text = String(validating: buffer.readableBytesView, as: UTF8.self),
            let fields = try? URLEncodedFormDecoder().decode([String: String].self, from: text)
        else { throw Problem(.malformedRequest, "The form could not be read.") }
        return Form(fields)
    }
}
