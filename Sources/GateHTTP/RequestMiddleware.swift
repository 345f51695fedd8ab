import GateControl
import GateModel
import GateWire
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Around everything: request id and source, problem answers, security headers, one log line and the metrics.
struct RequestMiddleware: RouterMiddleware {
    /// Sum of all names and values.
    static let headerLimit = 8_192

    let sources: SourceAddress
    let metrics: HTTPMetrics
    /// Nil: nothing is limited.
    let limits: RequestLimits?

    func handle(
        _ request: Request, context: GateContext, next: (Request, GateContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        let start = ContinuousClock.now
        context.requestID = Self.requestID(request.headers[.requestID])
        context.source = sources.resolve(peer: context.peer, forwardedFor: request.headers[values: .forwardedFor])
        context.limits = limits
        var response: Response
        do {
            let size = request.headers.reduce(0) { $0 + $1.name.rawName.utf8.count + $1.value.utf8.count + 4 }
            guard size + request.uri.string.utf8.count <= Self.headerLimit else {
                throw Problem(.headersTooLarge, "The request line and headers are larger than 8 KiB.")
            }
            response = try await next(request, context)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            if let problem = Problem(mapping: error).map({ limited($0, source: context.source) }) {
                response = problem.response(requestID: context.requestID)
            } else {
                context.logger.error(
                    "request failed",
                    metadata: ["error": "\(String(reflecting: error))", "gate.request.id": "\(context.requestID)"])
                response = Problem(.internalError, "Something went wrong on our side.")
                    .response(requestID: context.requestID)
            }
        }
        response.headers[.requestID] = context.requestID
        // What never changes under its name says so itself.
        if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
        response.headers[.xContentTypeOptions] = "nosniff"
        let elapsed = ContinuousClock.now - start
        let route = context.endpointPath ?? "unmatched"
        metrics.note(route: route, status: response.status.code, elapsed: elapsed)
        // The pattern, never the URI: a path or a query may hold what nobody should read in a log.
        context.logger.log(
            level: route == "/healthz" || route == "/readyz" ? .debug : .info, "request",
            metadata: [
                "gate.method": "\(Self.method(request.method))", "gate.route": "\(route)",
                "gate.status": "\(response.status.code)", "gate.request.id": "\(context.requestID)",
                "gate.source": "\(context.source)", "gate.microseconds": "\(elapsed.wholeMicroseconds)",
            ])
        return response
    }

    /// Every refused credential comes by here, whatever kind it is of: too many of a source are told to wait.
    private func limited(_ problem: Problem, source: String) -> Problem {
        guard problem.status == 401, let wait = limits?.refused(from: source) else { return problem }
        return Problem(
            .tooManyRequests, "Too many refused credentials from where this request comes; wait.", retryAfter: wait)
    }

    /// A caller's id is kept when it can't disturb a log, else replaced.
    private static func requestID(_ given: String?) -> String {
        if let given, (1...64).contains(given.utf8.count),
            given.utf8.allSatisfy({
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                    || "._-".utf8.contains($0)
            })
        {
            return given
        }
        return ID<Request>.random().text
    }

    private static func method(_ method: HTTPRequest.Method) -> String {
        [.get, .head, .post, .put, .patch, .delete, .options].contains(method) ? method.rawValue : "OTHER"
    }
}
