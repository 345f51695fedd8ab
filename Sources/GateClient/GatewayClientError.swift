public import GateWire

/// Why a call to a gateway gave no answer to use.
public enum GatewayClientError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The gateway refused; `retryAfter` in seconds, when it said one (RFC 9110, 10.2.3).
    case problem(ProblemBody, retryAfter: Int?)
    /// Nobody answered, or not in time.
    case unreachable(String)
    /// The address may not be used.
    case refusedURL(String)
    /// Something answered that is not this API, or not a version this program knows.
    case malformedAnswer(status: Int, String)

    /// The `error_code` of a refusal.
    public var code: ProblemCode? {
        guard case .problem(let problem, _) = self else { return nil }
        return ProblemCode(rawValue: problem.errorCode)
    }

    /// The HTTP status, when there was an answer.
    public var status: Int? {
        switch self {
        case .problem(let problem, _): problem.statusCode
        case .malformedAnswer(let status, _): status
        case .unreachable, .refusedURL: nil
        }
    }

    /// Seconds the gateway asked to wait before the next try.
    public var retryAfter: Int? {
        guard case .problem(_, let seconds) = self else { return nil }
        return seconds
    }

    /// One line for a person, safe for a terminal whatever the far end sent.
    public var description: String {
        switch self {
        case .problem(let problem, let retryAfter):
            TerminalText.neutralised("\(problem.detail) (\(problem.errorCode), request \(problem.requestID))")
                + (retryAfter.map { "; try again in \($0) s" } ?? "")
        case .unreachable(let text), .refusedURL(let text): TerminalText.neutralised(text)
        case .malformedAnswer(let status, let text): "HTTP \(status): \(TerminalText.neutralised(text))"
        }
    }
}
