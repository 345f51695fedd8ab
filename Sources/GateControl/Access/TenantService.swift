public import GateModel
public import GateStore

/// Tenants: who shares this gateway without seeing each other. Made by the operator on the gateway's own host.
public struct TenantService: Sendable {
    public static let limit = 1_000
    public static let tokenLifetime = Duration.seconds(86_400)

    private let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    /// Makes a tenant with its first administrator, and a token with which they make a proper one within a day.
    public func add(
        name: UserName, administrator: UserName, by caller: Caller
    ) async throws -> (tenant: StoredTenant, user: User, token: AccessToken, text: Secret<String>) {
        try caller.require(.tenants)
        let now = dependencies.now()
        let minted = MintedCredential(.personalToken)
        let tenant = StoredTenant(id: .random(), name: name.rawValue, createdAt: now)
        let user = User(
            id: .random(), tenant: tenant.id, name: administrator.rawValue, role: .admin, createdAt: now)
        let token = AccessToken(
            id: .random(), tenant: tenant.id, user: user.id, label: "set-up", createdAt: now,
            expiresAt: now + Self.tokenLifetime, lifetime: Self.tokenLifetime)
        try await dependencies.database.write { [dependencies] tx in
            guard try !tx.hasTenant(named: name.rawValue) else { throw ControlError.nameTaken(field: "name") }
            guard try tx.tenants(limit: Self.limit).count < Self.limit else {
                throw ControlError.limitReached("A gateway may have \(Self.limit) tenants.")
            }
            try tx.insertTenant(tenant.id, name: tenant.name, at: now)
            try tx.insertUser(user)
            try tx.insertToken(token, digest: minted.digest)
            try tx.appendAudit(
                dependencies.event(
                    .tenantAdded, by: caller, subject: "tenant:\(tenant.id)", at: now,
                    details: [("name", tenant.name), ("administrator", user.name)]))
            try tx.appendAudit(
                dependencies.ownEvent(
                    .userAdded, tenant: tenant.id, subject: "user:\(user.id)", at: now,
                    details: [("name", user.name), ("kind", "person"), ("role", "admin")]))
            try tx.appendAudit(
                dependencies.ownEvent(
                    .tokenAdded, tenant: tenant.id, subject: "token:\(token.id)", at: now,
                    details: [("label", token.label), ("user", user.name), ("scopes", "role")]))
        }
        return (tenant, user, token, minted.text)
    }

    /// Oldest first.
    public func list(by caller: Caller) async throws -> [StoredTenant] {
        try caller.require(.tenants)
        return try await dependencies.database.read { tx in try tx.tenants(limit: Self.limit) }
    }
}
