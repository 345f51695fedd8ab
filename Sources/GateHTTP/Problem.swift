import FoundationEssentials
import GateControl
import GateModel
import GateStore
public import GateWire
import HTTPTypes
import Hummingbird
import NIOCore

/// RFC 9457 answer, the only error shape that leaves the process.
public struct Problem: Error, Sendable, Equatable {
    public let code: ProblemCode
    /// Safe for a stranger's eyes. Never built from another error's text, never an echo of input.
    public let detail: String
    public var retryAfter: Duration?
    /// The methods a 405 lists.
    public var allow: String?

    public init(_ code: ProblemCode, _ detail: String, retryAfter: Duration? = nil, allow: String? = nil) {
        self.code = code
        self.detail = detail
        self.retryAfter = retryAfter
        self.allow = allow
    }

    package var status: Int { code.status }
    package var codeName: String { code.rawValue }

    func response(requestID: String) -> Response {
        let status = HTTPResponse.Status(code: code.status)
        let body = ProblemBody(code: code, title: code.title, detail: detail, requestID: requestID)
        var headers: HTTPFields = [.contentType: "application/problem+json"]
        if let retryAfter { headers[.retryAfter] = String(max(1, retryAfter.components.seconds)) }
        if let allow { headers[.allow] = allow }
        if code.status == 401 { headers[.wwwAuthenticate] = "Bearer realm=\"tidegate\"" }
        // The rest of a body nobody will read: don't wait for it on this connection.
        if code.status == 426 {
            headers[.upgrade] = "websocket"
            headers[.connection] = "Upgrade"
            headers[.secWebSocketVersion] = "13"
        }
        if [401, 408, 413, 431].contains(code.status) { headers[.connection] = "close" }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: encodeJSON(body))))
    }
}

/// Encodes an answer; ours always can be.
func encodeJSON(_ value: some Encodable) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else { return Array("{}".utf8) }
    return Array(data)
}

extension Problem {
    /// The one place where inner errors become answers. Nil: a fault of ours, to be logged.
    package init?(mapping error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case let error as ControlError: self.init(error)
        case StoreError.transient:
            self.init(.databaseUnavailable, "The store is busy; try again.", retryAfter: .seconds(1))
        case StoreError.full:
            self.init(
                .databaseUnavailable, "The store can't be written to now; nothing was changed.", retryAfter: .seconds(5)
            )
        case StoreError.corrupt, StoreError.engine:
            self.init(
                .databaseUnavailable, "The store can't be used now; nothing was changed.", retryAfter: .seconds(5))
        case let error as HTTPError where error.status == .notFound:
            self.init(.notFound, "There is nothing at this path.")
        case let error as HTTPError where error.status == .contentTooLarge:
            self.init(.bodyTooLarge, "The body is larger than 1 MiB.")
        case let error as HTTPError where error.status.code < 500:
            self.init(.malformedRequest, "The request could not be read.")
        default: return nil
        }
    }

    private init(_ error: ControlError) {
        switch error {
        case .unauthenticated: self.init(.unauthenticated, "A valid credential is required.")
        case .forbidden: self.init(.forbidden, "This credential may not do that.")
        case .machineNotFound: self.init(.machineNotFound, "No such machine.")
        case .agentKeyNotFound: self.init(.keyNotFound, "This machine has no such key.")
        case .enrolmentNotFound: self.init(.enrolmentNotFound, "This machine has no such enrolment token.")
        case .tunnelKeyNotFound: self.init(.tunnelKeyNotFound, "No such tunnel key.")
        case .proxyNotFound: self.init(.proxyNotFound, "No such proxy.")
        case .tokenNotFound: self.init(.tokenNotFound, "No such token.")
        case .leaseNotFound: self.init(.leaseNotFound, "This machine holds no lease; register again.")
        case .nameTaken(let field): self.init(.nameTaken, "This \(field) is taken; choose another one.")
        case .keyTaken:
            self.init(
                .keyTaken,
                "This public key is registered already, by another owner or for another purpose; make a new one.")
        case .enrolmentRefused:
            self.init(.enrolmentRefused, "The enrolment token is unknown, used, revoked or expired; ask for a new one.")
        case .setupRefused:
            self.init(
                .setupRefused, "The set-up secret is unknown, used or expired; restart the gateway for a new one.")
        case .ticketRefused:
            self.init(
                .ticketRefused,
                "The ticket is unknown, used, expired or for another endpoint, or its owner may no longer use it.")
        case .generationSuperseded:
            self.init(.generationSuperseded, "Another agent process took this machine's place.")
        case .duplicateAgent(let wait):
            self.init(
                .duplicateAgent,
                "Several agents take this machine's place from each other: two computers run with one agent key. Enrol each by itself.",
                retryAfter: wait)
        case .userNotFound: self.init(.userNotFound, "No such user.")
        case .grantNotFound: self.init(.grantNotFound, "No such grant.")
        case .addressNotAllowed:
            self.init(.addressNotAllowed, "This credential may not be used from where this request comes.")
        case .accountDisabled: self.init(.accountDisabled, "This account is disabled; ask an administrator.")
        case .notGranted(let machine):
            self.init(.notGranted, "No grant lets you reach \(machine) with ssh; ask an administrator for one.")
        case .lastAdministrator:
            self.init(
                .lastAdministrator,
                "This would leave nobody to manage the gateway; make another administrator first.")
        case .notRenewable:
            self.init(.malformedRequest, "Only a personal or service token renews itself; this credential is neither.")
        case .limitReached(let text): self.init(.limitReached, text)
        case .tooManyAttempts(let wait):
            self.init(.tooManyRequests, "Too many attempts from where this request comes; wait.", retryAfter: wait)
        case .leaseRangeFull:
            self.init(
                .leaseRangeFull, "Every port of the lease range is taken; widen --lease-ports.",
                retryAfter: .seconds(60))
        case .agentIDTaken:
            self.init(
                .nameTaken,
                "This agent_id is a machine's that is enrolled or was added here; a shared key may not take its place.")
        case .importRefused(let faults):
            self.init(.importRefused, "Nothing was imported: \(faults.joined(separator: "; ")).")
        case .invalid(let field, let rule):
            self.init(.invalidField, "Field '\(field)' is wrong; right would be: \(rule).")
        default: self.init(signIn: error)
        }
    }
}

extension HTTPField.Name {
    static var requestID: HTTPField.Name { HTTPField.Name("X-Request-ID") ?? .date }
    static var agentID: HTTPField.Name { HTTPField.Name(AgentAdmission.header) ?? .date }
    static var forwardedFor: HTTPField.Name { HTTPField.Name("X-Forwarded-For") ?? .date }
}
