import FoundationEssentials
import GateControl
import GateHTTP
import GateModel
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// The envelope of Argus' API: `{"status":"ok","response":…}`, and for what the caller got wrong HTTP 200 as well, with
/// `{"status":"error","response":{"trace_id","exception","message","arguments"}}`: its clients read the body only of a 200.
///
/// Two things are told by status, against the original: 401 for a credential that isn't good, and 503 or 429 where asking
/// again later is right. Clients take both for "not now" and go on without.
enum ArgusAnswer {
    static func ok(_ response: some Encodable) -> Response { json(.ok, Envelope(status: "ok", response: response)) }

    static func refusal(_ error: any Error, _ context: GateContext) -> Response {
        if let fault = error as? ArgusFault { return refusal(fault, context) }
        guard let problem = Problem(mapping: error) else {
            context.logger.error(
                "request failed",
                metadata: ["error": "\(String(reflecting: error))", "gate.request.id": "\(context.requestID)"])
            return refusal(
                ArgusFault("InternalError", "Something went wrong in the gateway; it is in its log."), context)
        }
        var answer: Response
        switch problem.status {
        case 401: return json(.forbidden, Bare(message: "Authorization required"))
        case 403: return json(.forbidden, Bare(message: "Forbidden"))
        case 413, 429, 500...: answer = json(.init(code: problem.status), Bare(message: problem.detail))
        default: return refusal(ArgusFault(problem.codeName, problem.detail), context)
        }
        if let wait = problem.retryAfter { answer.headers[.retryAfter] = String(max(1, wait.components.seconds)) }
        return answer
    }

    private static func refusal(_ fault: ArgusFault, _ context: GateContext) -> Response {
        let response = Fault(
            trace_id: context.requestID, exception: fault.exception, message: fault.message, arguments: [fault.message])
        return json(.ok, Envelope(status: "error", response: response))
    }

    private static func json(_ status: HTTPResponse.Status, _ body: some Encodable) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes = (try? encoder.encode(body)).map(Array.init) ?? Array("{}".utf8)
        // Exactly this: the original's own CLI takes any other text, also one with a charset, for a page to sign in at.
        return Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    private struct Envelope<Value: Encodable>: Encodable {
        let status: String
        let response: Value
    }

    private struct Bare: Encodable {
        let status = "error"
        let message: String
    }

    /// The names are the wire's own.
    private struct Fault: Encodable {
        let trace_id: String
        let exception: String
        let message: String
        let arguments: [String]
    }
}

/// What the caller got wrong, in the words that Argus has for it.
struct ArgusFault: Error {
    let exception: String
    let message: String

    init(_ exception: String, _ message: String) {
        self.exception = exception
        self.message = message
    }
}

/// `YYYY-MM-DDTHH:MM:SS.mmmZ`. Its clients read nothing else, and one that meets another text asks again at once, for ever.
struct ArgusTime: Encodable {
    let text: String

    init(_ time: Timestamp) {
        let milliseconds = time.microseconds / 1_000
        let digits = String(1_000 + milliseconds % 1_000).suffix(3)
        text = "\(Timestamp(microseconds: milliseconds / 1_000 * 1_000_000).rfc3339.dropLast()).\(digits)Z"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
