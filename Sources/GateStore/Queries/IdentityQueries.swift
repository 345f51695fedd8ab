public import GateModel

/// Tenants, gateways and the first administrator's set-up secret.
/// A tenant as stored.
public struct StoredTenant: Sendable, Hashable {
    public let id: ID<Tenant>
    public let name: String
    public let createdAt: Timestamp

    public init(id: ID<Tenant>, name: String, createdAt: Timestamp) {
        self.id = id
        self.name = name
        self.createdAt = createdAt
    }
}

extension Transaction {
    public func insertTenant(_ id: ID<Tenant>, name: String, at now: Timestamp) throws(StoreError) {
        try execute("INSERT INTO tenant (id, name, created_at) VALUES (\(id), \(name), \(now))")
    }

    /// Oldest first.
    public func tenants(limit: Int) throws(StoreError) -> [StoredTenant] {
        try rows("SELECT id, name, created_at FROM tenant ORDER BY created_at, id LIMIT \(limit)").map {
            row throws(StoreError) in
            StoredTenant(
                id: try row.id("id", of: Tenant.self), name: try row.text("name"),
                createdAt: try row.timestamp("created_at"))
        }
    }

    public func hasTenant(named name: String) throws(StoreError) -> Bool {
        try !rows("SELECT 1 AS one FROM tenant WHERE name = \(name)").isEmpty
    }

    /// The oldest gateway: with an embedded store, the only one.
    public func firstGateway() throws(StoreError) -> (gateway: ID<Gateway>, tenant: ID<Tenant>)? {
        try rows("SELECT id, tenant_id FROM gateway ORDER BY created_at, id LIMIT 1").first.map {
            row throws(StoreError) in
            (try row.id("id", of: Gateway.self), try row.id("tenant_id", of: Tenant.self))
        }
    }

    public func insertGateway(_ id: ID<Gateway>, tenant: ID<Tenant>, at now: Timestamp) throws(StoreError) {
        try execute("INSERT INTO gateway (id, tenant_id, created_at) VALUES (\(id), \(tenant), \(now))")
    }

    public func insertSetupSecret(
        digest: CredentialDigest, tenant: ID<Tenant>, at now: Timestamp, expires: Timestamp
    ) throws(StoreError) {
        try execute("DELETE FROM setup_secret WHERE consumed_at IS NULL")
        try execute(
            """
            INSERT INTO setup_secret (id, tenant_id, digest, created_at, expires_at)
            VALUES (\(ID<Gateway>.random()), \(tenant), \(digest.bytes), \(now), \(expires))
            """)
    }

    /// The tenant whose secret this call used up; nil when it is unknown, used or too old.
    public func consumeSetupSecret(digest: CredentialDigest, at now: Timestamp) throws(StoreError) -> ID<Tenant>? {
        try rows(
            """
            UPDATE setup_secret SET consumed_at = \(now)
            WHERE digest = \(digest.bytes) AND consumed_at IS NULL AND expires_at > \(now) RETURNING tenant_id
            """
        ).first.map { row throws(StoreError) in try row.id("tenant_id", of: Tenant.self) }
    }
}
