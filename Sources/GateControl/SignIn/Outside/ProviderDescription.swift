import FoundationEssentials
import GateModel

/// What an OpenID provider says of itself (OpenID Connect Discovery 1.0, section 3), checked.
struct ProviderDescription: Sendable {
    static let path: StaticString = "/.well-known/openid-configuration"

    /// Where browsers are sent.
    let authorization: OutboundURL
    let token: OutboundURL
    let keys: OutboundURL
    let userInfo: OutboundURL?
    /// Whether its answers always name it (RFC 9207).
    let namesItself: Bool
    /// Whether the client's secret goes into the body of a call, because the header isn't taken.
    let takesSecretInBody: Bool

    /// `issuer` as configured. Places on this host's loopback are taken from an issuer there alone.
    init(_ document: [UInt8], issuer: String, isLoopback: Bool) throws(ProviderFault) {
        guard let fields = try? JSONDecoder().decode(Fields.self, from: Data(document)) else {
            throw .unusable("its description is no OpenID provider's (OpenID Connect Discovery 1.0)")
        }
        // To the byte: another's description at this place would make its tokens good here.
        guard fields.issuer == issuer else {
            throw .unusable(
                "its description is of another issuer than --oidc-issuer says; they are compared to the letter")
        }
        if let methods = fields.challenges, !methods.contains("S256") {
            throw .unusable("it doesn't take PKCE with S256")
        }
        if let algorithms = fields.algorithms,
            !algorithms.contains(where: { WebToken.Algorithm(rawValue: $0) != nil })
        {
            throw .unusable("it signs with neither RS256 nor ES256")
        }
        let loopback: OutboundURL.Loopback = isLoopback ? .literal : .refused
        func place(_ text: String, _ name: String) throws(ProviderFault) -> OutboundURL {
            do throws(OutboundURL.Fault) { return try OutboundURL(text, loopback: loopback) } catch {
                throw .unusable("its \(name): \(error)")
            }
        }
        authorization = try place(fields.authorization, "authorization_endpoint")
        token = try place(fields.token, "token_endpoint")
        keys = try place(fields.keys, "jwks_uri")
        userInfo = try fields.userInfo.map { text throws(ProviderFault) in try place(text, "userinfo_endpoint") }
        namesItself = fields.namesItself ?? false
        let methods = fields.clientMethods ?? ["client_secret_basic"]
        takesSecretInBody = !methods.contains("client_secret_basic") && methods.contains("client_secret_post")
    }

    private struct Fields: Decodable {
        let issuer: String
        let authorization: String
        let token: String
        let keys: String
        let userInfo: String?
        let challenges: [String]?
        let algorithms: [String]?
        let clientMethods: [String]?
        let namesItself: Bool?

        enum CodingKeys: String, CodingKey {
            case issuer
            case authorization = "authorization_endpoint"
            case token = "token_endpoint"
            case keys = "jwks_uri"
            case userInfo = "userinfo_endpoint"
            case challenges = "code_challenge_methods_supported"
            case algorithms = "id_token_signing_alg_values_supported"
            case clientMethods = "token_endpoint_auth_methods_supported"
            case namesItself = "authorization_response_iss_parameter_supported"
        }
    }
}
