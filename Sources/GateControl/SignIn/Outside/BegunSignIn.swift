import FoundationEssentials
import GateModel

/// A sign-in that was begun with a provider: all of it is in the browser's cookie, so that strangers who begin many fill
/// nothing here, and no other browser can complete it.
///
/// `state`, `nonce` and the PKCE verifier come from one random seed by the master key: the cookie shows none of them.
struct BegunSignIn: Sendable {
    static let lifetime = Duration.seconds(600)

    private let seed: String
    let expiresAt: Timestamp
    let returnTo: ReturnPath
    private let masterKey: MasterKey

    init(returnTo: ReturnPath, at now: Timestamp, masterKey: MasterKey) {
        seed = BaseEncoding.base64URL(randomBytes(32))
        expiresAt = now + Self.lifetime
        self.returnTo = returnTo
        self.masterKey = masterKey
    }

    /// Nil for a cookie that isn't one of ours, or whose time is over.
    init?(cookie: String, at now: Timestamp, masterKey: MasterKey) {
        guard cookie.utf8.count <= 1_024 else { return nil }
        let parts = cookie.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, parts[0].utf8.count == 43,
            let mac = BaseEncoding.bytes(base64URL: parts[3]),
            isSame(mac, Self.mac(parts[0...2].joined(separator: "."), masterKey)),
            let microseconds = Int64(parts[1]), let path = BaseEncoding.bytes(base64URL: parts[2]),
            let text = String(validating: path, as: UTF8.self), let returnTo = ReturnPath(rawValue: text)
        else { return nil }
        seed = parts[0]
        expiresAt = Timestamp(microseconds: microseconds)
        self.returnTo = returnTo
        self.masterKey = masterKey
        guard now < expiresAt, expiresAt <= now + Self.lifetime + .seconds(60) else { return nil }
    }

    var cookie: Secret<String> {
        let body = "\(seed).\(expiresAt.microseconds).\(BaseEncoding.base64URL(Array(returnTo.rawValue.utf8)))"
        return Secret("\(body).\(BaseEncoding.base64URL(Self.mac(body, masterKey)))")
    }

    var state: String { derived("oidc state") }
    var nonce: String { derived("oidc nonce") }
    /// RFC 7636, section 4.1.
    var verifier: String { derived("oidc verifier") }
    /// What the store knows a completed one by.
    var digest: CredentialDigest { CredentialDigest(bytes: masterKey.digest(seed, use: "oidc spent")) }

    func isState(_ text: String) -> Bool { isSame(Array(text.utf8), Array(state.utf8)) }

    private func derived(_ use: String) -> String { BaseEncoding.base64URL(masterKey.digest(seed, use: use)) }

    private static func mac(_ text: String, _ masterKey: MasterKey) -> [UInt8] {
        masterKey.digest(text, use: "oidc cookie")
    }
}

/// A page of the gateway to go to after signing in: a path on this host, which no browser reads as another host.
public struct ReturnPath: CheckedName {
    public let rawValue: String
    public static let rule = "a path of this gateway, like /machines: at most 512 plain characters, without '//'"
    public static let root = ReturnPath(unchecked: "/")

    private init(unchecked: String) { rawValue = unchecked }

    public init?(rawValue: String) {
        let bytes = rawValue.utf8
        guard (1...512).contains(bytes.count), bytes.first == UInt8(ascii: "/"),
            // Browsers take a backslash for a slash, and leave line breaks and tabs out: `/\t/host` is another host. Quotes
            // and brackets are of no path that a link of ours names.
            bytes.allSatisfy({ byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || "/-._~%?=&#:@+,;!*'()".utf8.contains(byte)
            }),
            !rawValue.prefix(while: { $0 != "?" && $0 != "#" }).contains("//")
        else { return nil }
        self.rawValue = rawValue
    }
}
