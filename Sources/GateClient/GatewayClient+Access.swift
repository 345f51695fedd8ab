import GateModel
public import GateWire

/// Tokens, users, grants and tenants.
extension GatewayClient {
    /// The caller's tokens, or those of a user by name, without their text.
    public func tokens(of user: String? = nil) async throws(GatewayClientError) -> [TokenBody] {
        try await pages(APIPath.tokens, Self.owner(user))
    }

    /// A further token; its text is in this answer only.
    public func addToken(_ request: AddTokenRequest) async throws(GatewayClientError) -> TokenBody {
        try await send(.post, APIPath.tokens, body: request)
    }

    /// Revokes a token.
    public func revokeToken(_ id: String, of user: String? = nil) async throws(GatewayClientError) {
        try await send(.delete, APIPath.token(percentEncoded(id)), query: Self.owner(user))
    }

    /// Moves the end of the token in use, in its last days.
    public func renewToken() async throws(GatewayClientError) -> TokenRenewalBody {
        try await send(.post, APIPath.renewToken)
    }

    /// Makes the gateway ask the Fleet again about every node token of the tenant's users.
    public func forgetNodeTokens() async throws(GatewayClientError) {
        try await send(.post, APIPath.forgetNodeTokens)
    }

    private static func owner(_ user: String?) -> [(String, String)] { user.map { [("user", $0)] } ?? [] }

    public func addUser(_ request: AddUserRequest) async throws(GatewayClientError) -> UserBody {
        try await send(.post, APIPath.users, body: request)
    }

    /// Users, by name.
    public func users() async throws(GatewayClientError) -> [UserBody] { try await pages(APIPath.users) }

    public func user(_ name: String) async throws(GatewayClientError) -> UserBody {
        try await send(.get, APIPath.user(percentEncoded(name)))
    }

    /// Changes what the patch names; the answer is the user as stored.
    public func patchUser(_ name: String, _ patch: PatchUserRequest) async throws(GatewayClientError) -> UserBody {
        try await send(.patch, APIPath.user(percentEncoded(name)), body: patch)
    }

    /// The outside identities of a user, oldest first.
    public func identities(of name: String) async throws(GatewayClientError) -> [IdentityBody] {
        try await send(.get, APIPath.identities(of: percentEncoded(name)))
    }

    /// Lets somebody whom a provider vouches for sign in as that user.
    public func linkIdentity(
        _ request: LinkIdentityRequest, to name: String
    ) async throws(GatewayClientError) -> IdentityBody {
        try await send(.post, APIPath.identities(of: percentEncoded(name)), body: request)
    }

    public func unlinkIdentity(_ id: String, from name: String) async throws(GatewayClientError) {
        try await send(.delete, APIPath.identities(of: percentEncoded(name)) + "/" + percentEncoded(id))
    }

    public func addGrant(_ request: AddGrantRequest) async throws(GatewayClientError) -> GrantBody {
        try await send(.post, APIPath.grants, body: request)
    }

    /// Grants, newest first; `filter` holds query parameters as the API names them.
    public func grants(_ filter: [(String, String)] = []) async throws(GatewayClientError) -> [GrantBody] {
        try await pages(APIPath.grants, filter)
    }

    /// Withdraws a grant; connections that only it allowed end.
    public func withdrawGrant(_ id: String) async throws(GatewayClientError) {
        try await send(.delete, APIPath.grant(percentEncoded(id)))
    }

    /// What the policy says; `query` as the API names it.
    public func checkAccess(_ query: [(String, String)]) async throws(GatewayClientError) -> AccessCheckBody {
        try await send(.get, APIPath.accessCheck, query: query)
    }

    public func addTenant(_ request: AddTenantRequest) async throws(GatewayClientError) -> AddedTenantBody {
        try await send(.post, APIPath.tenants, body: request)
    }

    public func tenants() async throws(GatewayClientError) -> [TenantBody] { try await pages(APIPath.tenants) }
}
