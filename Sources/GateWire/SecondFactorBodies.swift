/// `POST /api/v1/auth/totp`: asks for a new seed.
public struct OfferTOTPRequest: Codable, WireRequest {
    /// Needed from an account that has one.
    public var password: String?

    public init(password: String? = nil) { self.password = password }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable { case password }
}

/// What an authenticator program is set up with; shown this once.
public struct TOTPOfferBody: Codable, Sendable, Equatable {
    /// Base32, for typing.
    public var secret: String
    /// `otpauth://totp/…`, for a QR code.
    public var uri: String

    public init(secret: String, uri: String) {
        self.secret = secret
        self.uri = uri
    }
}

/// `POST /api/v1/auth/totp/confirm`, `/disable` and `/recovery-codes`.
public struct TOTPCodeRequest: Codable, WireRequest {
    /// Six digits, or a recovery code where one will do.
    public var code: String

    public init(code: String) { self.code = code }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable { case code }
}

/// `POST /api/v1/auth/totp/reset`: an administrator takes another user's second factor away.
public struct ResetTOTPRequest: Codable, WireRequest {
    public var username: String

    public init(username: String) { self.username = username }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable { case username }
}

/// Recovery codes, shown this once; each works once.
public struct RecoveryCodesBody: Codable, Sendable, Equatable {
    public var recoveryCodes: [String]

    public init(recoveryCodes: [String]) { self.recoveryCodes = recoveryCodes }

    enum CodingKeys: String, CodingKey { case recoveryCodes = "recovery_codes" }
}
