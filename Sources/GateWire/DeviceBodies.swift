public import GateModel

/// `POST /api/v1/auth/device`: a program asks to act for a person (RFC 8628, section 3.1).
public struct BeginDeviceRequest: Codable, WireRequest {
    /// What the person is shown, such as `tidegate on laptop`.
    public var clientName: String
    /// SHA-256, in base64url, of a verifier that goes with each poll (as in RFC 7636).
    public var codeChallenge: String
    /// What it wants to do; absent: what running machines takes.
    public var scopes: [String]?

    public init(clientName: String, codeChallenge: String, scopes: [String]? = nil) {
        self.scopes = scopes
        self.clientName = clientName
        self.codeChallenge = codeChallenge
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case scopes
        case clientName = "client_name"
        case codeChallenge = "code_challenge"
    }
}

/// RFC 8628, section 3.2. There is no `verification_uri_complete`: a link alone must approve nothing.
public struct DeviceBody: Codable, Sendable, Equatable {
    public var deviceCode: String
    public var userCode: String
    public var verificationURI: String
    /// Seconds.
    public var expiresIn: Int
    /// Seconds between two polls.
    public var interval: Int

    public init(deviceCode: String, userCode: String, verificationURI: String, expiresIn: Int, interval: Int) {
        self.deviceCode = deviceCode
        self.userCode = userCode
        self.verificationURI = verificationURI
        self.expiresIn = expiresIn
        self.interval = interval
    }

    enum CodingKeys: String, CodingKey {
        case interval
        case deviceCode = "device_code"
        case userCode = "user_code"
        case verificationURI = "verification_uri"
        case expiresIn = "expires_in"
    }
}

/// `POST /api/v1/auth/device/token`: one poll.
public struct DeviceTokenRequest: Codable, WireRequest {
    public var deviceCode: String
    public var codeVerifier: String

    public init(deviceCode: String, codeVerifier: String) {
        self.deviceCode = deviceCode
        self.codeVerifier = codeVerifier
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case deviceCode = "device_code"
        case codeVerifier = "code_verifier"
    }
}

/// `POST /api/v1/auth/device/lookup`.
public struct LookUpDeviceRequest: Codable, WireRequest {
    public var userCode: String

    public init(userCode: String) { self.userCode = userCode }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable { case userCode = "user_code" }
}

/// `POST /api/v1/auth/device/decision`.
public struct DecideDeviceRequest: Codable, WireRequest {
    public var userCode: String
    public var approve: Bool
    /// Needed to let a program act as an administrator, where the account has no second factor.
    public var password: String?
    /// Needed for the same, where it has one.
    public var totp: String?

    public init(userCode: String, approve: Bool, password: String? = nil, totp: String? = nil) {
        self.userCode = userCode
        self.approve = approve
        self.password = password
        self.totp = totp
    }

    public static var fieldNames: [String] { CodingKeys.allCases.map(\.rawValue) }
    enum CodingKeys: String, CodingKey, CaseIterable {
        case approve, password, totp
        case userCode = "user_code"
    }
}

/// A program that waits for an answer, as a person has to see it.
public struct WaitingDeviceBody: Codable, Sendable, Equatable {
    public var clientName: String
    /// Where it asks from, as the gateway sees it.
    public var source: String
    /// Exactly what it would get.
    public var scopes: [String]
    /// Approving asks for `totp` or `password` again.
    public var needsProof: Bool
    public var createdAt: Timestamp
    public var expiresAt: Timestamp

    public init(_ device: DeviceAuthorization, scopes: Scopes, needsProof: Bool) {
        self.scopes = scopes.names
        self.needsProof = needsProof
        clientName = device.client
        source = device.source
        createdAt = device.createdAt
        expiresAt = device.expiresAt
    }

    enum CodingKeys: String, CodingKey {
        case source, scopes
        case needsProof = "needs_proof"
        case clientName = "client_name"
        case createdAt = "created_at"
        case expiresAt = "expires_at"
    }
}
