import Crypto
import HTTPTypes
import Hummingbird
import NIOCore

/// The one stylesheet. Its name holds its digest, so that a browser keeps it for good and asks anew when it changed.
enum Stylesheet {
    static let path: String = {
        let digest = SHA256.hash(data: PackageResources.panel_css).prefix(8)
        let digits = Array("0123456789abcdef")
        return "/panel/panel-\(String(digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })).css"
    }()

    static func answer() -> Response {
        var headers = PageHeaders.all
        headers[.contentType] = "text/css; charset=utf-8"
        headers[.cacheControl] = "public, max-age=31536000, immutable"
        return Response(
            status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: PackageResources.panel_css)))
    }
}
