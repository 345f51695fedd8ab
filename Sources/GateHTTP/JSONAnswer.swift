import HTTPTypes
import Hummingbird
import NIOCore

/// An `application/json` answer.
struct JSONAnswer: ResponseGenerator {
    let status: HTTPResponse.Status
    let bytes: [UInt8]
    var link: String?
    var cookies: [String] = []

    init(
        _ status: HTTPResponse.Status = .ok, _ value: some Encodable, link: String? = nil, cookies: [String] = []
    ) {
        self.cookies = cookies
        self.status = status
        self.bytes = encodeJSON(value)
        self.link = link
    }

    func response(from request: Request, context: some RequestContext) -> Response {
        var headers: HTTPFields = [.contentType: "application/json"]
        if let link, let name = HTTPField.Name("Link") { headers[name] = link }
        for cookie in cookies { headers.append(HTTPField(name: .setCookie, value: cookie)) }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
