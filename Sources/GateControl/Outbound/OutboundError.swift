/// Why a call got no answer. Nothing of what the other end said is in it.
public enum OutboundError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Our own fault: too large, or a header that is ours to set.
    case invalidRequest(String)
    case unresolvable
    case refusedAddress(OutboundPolicy.Refusal)
    case unreachable
    /// No certificate this host trusts for that name.
    case untrusted
    case timedOut
    /// A redirect, which is never followed: it would take what the request carries to wherever it names.
    case redirected(status: Int)
    case answerTooLarge
    case malformedAnswer
    /// Too many calls of this purpose at once.
    case busy
    case cancelled

    public var description: String {
        switch self {
        case .invalidRequest(let words): "the call can't be made: \(words)"
        case .unresolvable: "the name has no address that can be found"
        case .refusedAddress(let refusal): "the URL leads to \(refusal.rawValue), where the gateway never calls"
        case .unreachable: "it can't be reached"
        case .untrusted: "it shows no certificate that this host trusts for that name"
        case .timedOut: "it didn't answer in time"
        case .redirected(let status): "it answers with a redirect (\(status)), which is never followed: correct the URL"
        case .answerTooLarge: "its answer is too large"
        case .malformedAnswer: "its answer isn't HTTP"
        case .busy: "too many such calls are under way"
        case .cancelled: "the call was given up"
        }
    }
}
