import GateControl
import GateModel
import GateProcess

/// What `serve` is told about signing in with outside providers.
struct OutsideSignInSettings: Sendable {
    static let secretVariable = "TIDEGATE_OIDC_CLIENT_SECRET"

    let settings: OutsideSettings
    let secretFile: String?

    init(_ values: [String: String], environment: [String: String]) throws {
        secretFile = try ServeSettings.path(values["oidc-client-secret-file"], "oidc-client-secret-file")
        settings = OutsideSettings(
            openID: try Self.openID(values, secretFile: secretFile, environment: environment),
            cloudflareAccess: try Self.cloudflareAccess(values))
    }

    /// Where the secret stood nothing is left of it, also in what /proc shows of this process.
    static func forget() { _ = SecretEnvironment.take(secretVariable) }

    private static func openID(
        _ values: [String: String], secretFile: String?, environment: [String: String]
    ) throws -> OpenIDSettings? {
        guard let issuer = values["oidc-issuer"] else {
            if let stray = values.keys.filter({ $0.hasPrefix("oidc-") }).min() {
                throw StartFault("\(stray) needs oidc-issuer")
            }
            return nil
        }
        guard let client = values["oidc-client-id"], isWord(client, limit: 512) else {
            throw StartFault(
                "oidc-client-id must be the name the provider knows this gateway by, at most 512 characters")
        }
        let scopes = (values["oidc-scopes"] ?? OpenIDSettings.usualScopes.joined(separator: " "))
            .split { $0 == " " || $0 == "," }.map(String.init)
        guard scopes.contains("openid"), scopes.allSatisfy({ isWord($0, limit: 128) }) else {
            throw StartFault("oidc-scopes must be words with blanks between them, one of them openid")
        }
        let claim = values["oidc-groups-claim"] ?? OpenIDSettings.usualGroupsClaim
        guard isWord(claim, limit: 128) else { throw StartFault("oidc-groups-claim must be the name of a claim") }
        let standard = try values["oidc-default-role"].map { try role($0, "oidc-default-role") }
        do {
            return try OpenIDSettings(
                issuer: issuer, clientID: client, clientSecret: try secret(secretFile, environment), scopes: scopes,
                groupsClaim: claim, roles: RoleMapping(roles: try roles(values["oidc-role"]), standard: standard))
        } catch let fault as OutboundURL.Fault {
            throw StartFault("oidc-issuer: \(fault)")
        }
    }

    /// `GROUP=ROLE`, several with `;` between them: a directory's names of groups have commas and equals signs in them.
    private static func roles(_ text: String?) throws -> [String: Role] {
        var roles: [String: Role] = [:]
        for piece in (text ?? "").split(separator: ";") {
            guard let equals = piece.lastIndex(of: "="), equals > piece.startIndex else {
                throw StartFault("oidc-role must be GROUP=ROLE, several with ';' between them")
            }
            let group = String(piece[..<equals])
            guard group.utf8.count <= 512, !group.unicodeScalars.contains(where: isUnprintable) else {
                throw StartFault("oidc-role: a group has at most 512 bytes and no control characters")
            }
            let given = try role(String(piece[piece.index(after: equals)...]), "oidc-role")
            guard roles[group] == nil || roles[group] == given else {
                throw StartFault("oidc-role gives one group two roles")
            }
            roles[group] = given
        }
        return roles
    }

    private static func role(_ text: String, _ name: String) throws -> Role {
        guard let role = Role(rawValue: text), !role.isForServicesOnly else {
            throw StartFault("\(name): a role is admin, operator or viewer")
        }
        return role
    }

    private static func secret(_ file: String?, _ environment: [String: String]) throws -> Secret<String>? {
        var text: String
        if let file {
            guard let read = try? String(contentsOf: file) else {
                throw StartFault("oidc-client-secret-file: \(file) can't be read")
            }
            text = read
        } else {
            guard let set = environment[secretVariable] else { return nil }
            text = set
        }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        guard (1...1_024).contains(text.utf8.count), !text.unicodeScalars.contains(where: isUnprintable) else {
            throw StartFault(
                "\(file == nil ? secretVariable : "oidc-client-secret-file") must hold the secret the provider gave, on one line"
            )
        }
        return Secret(text)
    }

    private static func cloudflareAccess(_ values: [String: String]) throws -> CloudflareAccessSettings? {
        switch (values["cloudflare-access-team"], values["cloudflare-access-audience"]) {
        case (nil, nil):
            guard values["cloudflare-access-default-role"] == nil else {
                throw StartFault("cloudflare-access-default-role needs cloudflare-access-team")
            }
            return nil
        case (let team?, let audience?):
            guard isWord(audience, limit: 256) else {
                throw StartFault("cloudflare-access-audience must be the AUD tag of the application")
            }
            let standard = try values["cloudflare-access-default-role"].map {
                try role($0, "cloudflare-access-default-role")
            }
            return CloudflareAccessSettings(team: try url(team), audience: audience, standardRole: standard)
        default:
            throw StartFault("cloudflare-access-team and cloudflare-access-audience go together: give both or none")
        }
    }

    /// `NAME`, `NAME.cloudflareaccess.com`, or a URL.
    private static func url(_ team: String) throws -> OutboundURL {
        let isURL = team.hasPrefix("https://") || team.hasPrefix("http://")
        let text = isURL ? team : "https://\(team)\(team.contains(".") ? "" : ".cloudflareaccess.com")"
        do {
            let url = try OutboundURL(text, loopback: .literal)
            guard url.target == "/" else {
                throw StartFault("cloudflare-access-team must be a team's name or domain, without a path")
            }
            return url
        } catch let fault as OutboundURL.Fault {
            throw StartFault("cloudflare-access-team: \(fault)")
        }
    }

    private static func isWord(_ text: String, limit: Int) -> Bool {
        (1...limit).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
