import FoundationEssentials
import GateWire
import NIOCore
import NIOHTTP1

/// Tells a good answer from a refusal and from something that is no gateway.
enum AnswerReading {
    static func read(status: Int, headers: HTTPHeaders, body: ByteBuffer) throws(GatewayClientError)
        -> GatewayClient.Answer
    {
        switch status {
        case 200..<300:
            return .init(status: status, body: body, next: nextPage(headers["Link"]))
        case 300..<400:
            throw .malformedAnswer(
                status: status, "the address answers with a redirect, which is never followed: correct the URL")
        default:
            guard let problem = try? JSONDecoder().decode(ProblemBody.self, from: Data(body.readableBytesView)) else {
                throw .malformedAnswer(status: status, "the answer is no problem report of a tidegate gateway")
            }
            throw .problem(problem, retryAfter: headers.first(name: "Retry-After").flatMap { seconds($0) })
        }
    }

    /// `Retry-After` in seconds, within a day; an HTTP date is not used by the gateway.
    private static func seconds(_ text: String) -> Int? {
        guard let seconds = Int(text), (0...86_400).contains(seconds) else { return nil }
        return seconds
    }

    /// Path and query of the `rel="next"` target (RFC 8288). Scheme and host are ignored: the next page is asked of
    /// the same gateway, whatever the link names, because the token goes with the request.
    static func nextPage(_ links: [String]) -> String? {
        for link in links.flatMap({ $0.split(separator: ",") }) {
            let parts = link.split(separator: ";").map { trimmed($0) }
            guard let target = parts.first, target.hasPrefix("<"), target.hasSuffix(">"),
                parts.dropFirst().contains(where: { $0 == "rel=\"next\"" || $0 == "rel=next" }),
                let api = target.indices.first(where: { target[$0...].hasPrefix("/api/") })
            else { continue }
            return String(target[api...].dropLast())
        }
        return nil
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let start = text.drop { $0 == " " || $0 == "\t" }
        guard let last = start.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return start }
        return start[...last]
    }
}
