import GateHTTP
import HTTPTypes
import Hummingbird
import NIOCore

/// The shapes that ssh-tunnel-gateway 0.4.3 answers with: a JSON object, and `{"detail": …}` for an error.
enum DialectAnswer {
    static func ok(_ bytes: [UInt8]) -> Response { response(.ok, bytes) }

    /// `closes` where a body was left unread: nothing after it on this connection could be told apart from it.
    static func error(_ status: Int, _ detail: String, headers: HTTPFields = [:], closes: Bool = false) -> Response {
        raw(status, "{\"detail\":\(quoted(detail))}", headers: headers, closes: closes)
    }

    /// One fault of the body, as a list: the shape of that server's validation errors.
    static func invalid(_ type: String, at location: [String], _ message: String) -> Response {
        let place = location.map { quoted($0) }.joined(separator: ",")
        return raw(422, "{\"detail\":[{\"type\":\(quoted(type)),\"loc\":[\(place)],\"msg\":\(quoted(message))}]}")
    }

    private static func raw(_ status: Int, _ text: String, headers: HTTPFields = [:], closes: Bool = false) -> Response
    {
        var response = response(.init(code: status), [UInt8](text.utf8))
        for field in headers { response.headers.append(field) }
        if closes { response.headers[.connection] = "close" }
        return response
    }

    private static func response(_ status: HTTPResponse.Status, _ bytes: [UInt8]) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// For texts of our own, which hold nothing that JSON escapes but quotes.
    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
