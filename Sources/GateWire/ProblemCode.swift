/// `error_code` of a problem answer. Append-only: a code that shipped is never renamed.
public enum ProblemCode: String, CaseIterable, Sendable, Codable {
    case unauthenticated = "UNAUTHENTICATED"
    case forbidden = "FORBIDDEN"
    case notFound = "NOT_FOUND"
    case methodNotAllowed = "METHOD_NOT_ALLOWED"
    case malformedRequest = "MALFORMED_REQUEST"
    case unknownField = "UNKNOWN_FIELD"
    case invalidField = "INVALID_FIELD"
    case unsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE"
    case bodyTooLarge = "BODY_TOO_LARGE"
    case headersTooLarge = "HEADERS_TOO_LARGE"
    case requestTimeout = "REQUEST_TIMEOUT"
    case tooManyRequests = "TOO_MANY_REQUESTS"
    case machineNotFound = "MACHINE_NOT_FOUND"
    case keyNotFound = "KEY_NOT_FOUND"
    case enrolmentNotFound = "ENROLMENT_NOT_FOUND"
    case tunnelKeyNotFound = "TUNNEL_KEY_NOT_FOUND"
    case tokenNotFound = "TOKEN_NOT_FOUND"
    case proxyNotFound = "PROXY_NOT_FOUND"
    case grantNotFound = "GRANT_NOT_FOUND"
    case notGranted = "NOT_GRANTED"
    case addressNotAllowed = "ADDRESS_NOT_ALLOWED"
    case accountDisabled = "ACCOUNT_DISABLED"
    case lastAdministrator = "LAST_ADMINISTRATOR"
    case leaseNotFound = "LEASE_NOT_FOUND"
    case generationSuperseded = "GENERATION_SUPERSEDED"
    case duplicateAgent = "DUPLICATE_AGENT"
    case nameTaken = "NAME_TAKEN"
    case keyTaken = "KEY_TAKEN"
    case enrolmentRefused = "ENROLMENT_REFUSED"
    case setupRefused = "SETUP_REFUSED"
    case ticketRefused = "TICKET_REFUSED"
    case originRefused = "ORIGIN_REFUSED"
    case upgradeRequired = "UPGRADE_REQUIRED"
    case limitReached = "LIMIT_REACHED"
    case importRefused = "IMPORT_REFUSED"
    case leaseRangeFull = "LEASE_RANGE_FULL"
    case signInRefused = "SIGN_IN_REFUSED"
    case signInUnavailable = "SIGN_IN_UNAVAILABLE"
    case signInNotBegun = "SIGN_IN_NOT_BEGUN"
    case providerRefused = "PROVIDER_REFUSED"
    case noRole = "NO_ROLE"
    case secondFactorRequired = "SECOND_FACTOR_REQUIRED"
    case secondFactorRefused = "SECOND_FACTOR_REFUSED"
    case csrfRefused = "CSRF_REFUSED"
    case userNotFound = "USER_NOT_FOUND"
    case identityNotFound = "IDENTITY_NOT_FOUND"
    case sessionNotFound = "SESSION_NOT_FOUND"
    case notPossible = "NOT_POSSIBLE"
    case userCodeNotFound = "USER_CODE_NOT_FOUND"
    case authorizationPending = "AUTHORIZATION_PENDING"
    case slowDown = "SLOW_DOWN"
    case accessDenied = "ACCESS_DENIED"
    case expiredToken = "EXPIRED_TOKEN"
    case secretsUnreadable = "SECRETS_UNREADABLE"
    case databaseUnavailable = "DATABASE_UNAVAILABLE"
    case providerUnavailable = "PROVIDER_UNAVAILABLE"
    case draining = "DRAINING"
    case internalError = "INTERNAL_ERROR"

    /// The HTTP status this code always goes with.
    public var status: Int {
        switch self {
        case .malformedRequest, .unknownField, .invalidField, .signInNotBegun: 400
        // RFC 8628, section 3.5, answers a poll without a token 400.
        case .authorizationPending, .slowDown, .accessDenied, .expiredToken: 400
        case .unauthenticated, .enrolmentRefused, .setupRefused, .ticketRefused, .signInRefused, .secondFactorRequired,
            .secondFactorRefused:
            401
        case .csrfRefused, .signInUnavailable, .providerRefused, .noRole: 403
        case .forbidden, .notGranted, .addressNotAllowed, .accountDisabled, .originRefused: 403
        case .notFound, .machineNotFound, .keyNotFound, .enrolmentNotFound, .tunnelKeyNotFound, .tokenNotFound,
            .proxyNotFound,
            .userNotFound, .identityNotFound, .grantNotFound, .leaseNotFound, .sessionNotFound, .userCodeNotFound:
            404
        case .methodNotAllowed: 405
        case .requestTimeout: 408
        case .generationSuperseded, .duplicateAgent, .nameTaken, .keyTaken, .importRefused, .lastAdministrator,
            .notPossible:
            409
        case .bodyTooLarge: 413
        case .unsupportedMediaType: 415
        case .upgradeRequired: 426
        case .tooManyRequests, .limitReached: 429
        case .headersTooLarge: 431
        case .leaseRangeFull, .databaseUnavailable, .providerUnavailable, .draining, .secretsUnreadable: 503
        case .internalError: 500
        }
    }

    /// The phrase of that status (RFC 9110, section 15; 431 is of RFC 6585), the same for every code of one status.
    public var title: String {
        switch status {
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 413: "Content Too Large"
        case 415: "Unsupported Media Type"
        case 426: "Upgrade Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 503: "Service Unavailable"
        default: "Internal Server Error"
        }
    }
}

/// RFC 9457 problem, as `application/problem+json`; the only error shape of the native API.
public struct ProblemBody: Codable, Sendable, Equatable {
    public var type: String
    public var title: String
    public var status: Int
    public var detail: String
    public var errorCode: String
    public var statusCode: Int
    public var requestID: String

    public init(code: ProblemCode, title: String, detail: String, requestID: String) {
        self.type = "urn:tidegate:problem:\(code.rawValue)"
        self.title = title
        self.status = code.status
        self.detail = detail
        self.errorCode = code.rawValue
        self.statusCode = code.status
        self.requestID = requestID
    }

    enum CodingKeys: String, CodingKey {
        case type, title, status, detail
        case errorCode = "error_code"
        case statusCode = "status_code"
        case requestID = "request_id"
    }
}
