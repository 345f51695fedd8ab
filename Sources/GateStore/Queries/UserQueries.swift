public import GateModel

extension Transaction {
    public func insertUser(_ user: User) throws(StoreError) {
        try execute(
            """
            INSERT INTO gate_user (id, tenant_id, name, kind, role, allow_from, created_at, disabled_at)
            VALUES (\(user.id), \(user.tenant), \(user.name), \(user.kind.rawValue), \(user.role.rawValue),
                \(user.allowFrom.joined(separator: " ")), \(user.createdAt), \(user.disabledAt))
            """)
    }

    public func user(named name: String, in tenant: ID<Tenant>) throws(StoreError) -> User? {
        try rows("SELECT \(userColumns) FROM gate_user u WHERE u.tenant_id = \(tenant) AND u.name = \(name)").first
            .map { row throws(StoreError) in try User(row: row) }
    }

    public func user(_ id: ID<User>) throws(StoreError) -> User? {
        try rows("SELECT \(userColumns) FROM gate_user u WHERE u.id = \(id)").first
            .map { row throws(StoreError) in try User(row: row) }
    }

    /// By name; `after` is the last name of the page before.
    public func users(in tenant: ID<Tenant>, after: String?, limit: Int) throws(StoreError) -> [User] {
        try rows(
            """
            SELECT \(userColumns) FROM gate_user u WHERE u.tenant_id = \(tenant) AND u.name > \(after ?? "")
            ORDER BY u.name LIMIT \(limit)
            """
        ).map { row throws(StoreError) in try User(row: row) }
    }

    /// Sets role, addresses and whether it is disabled.
    public func updateUser(_ user: User) throws(StoreError) {
        try execute(
            """
            UPDATE gate_user SET role = \(user.role.rawValue), allow_from = \(user.allowFrom.joined(separator: " ")),
                disabled_at = \(user.disabledAt)
            WHERE id = \(user.id)
            """)
    }

    /// Administrators of a tenant who aren't disabled.
    public func enabledAdministratorCount(in tenant: ID<Tenant>) throws(StoreError) -> Int {
        try rows(
            """
            SELECT count(*) AS n FROM gate_user
            WHERE tenant_id = \(tenant) AND role = 'admin' AND kind = 'person' AND disabled_at IS NULL
            """
        ).first?.int("n") ?? 0
    }

    public func userCount(in tenant: ID<Tenant>) throws(StoreError) -> Int {
        try rows("SELECT count(*) AS n FROM gate_user WHERE tenant_id = \(tenant)").first?.int("n") ?? 0
    }

    /// True when somebody can still sign in: an administrator who isn't disabled has a password, or holds a token that is
    /// neither revoked nor expired. `besidesUnused` leaves out tokens of that label that were never used.
    public func hasUsableAdministrator(
        at now: Timestamp, besidesUnused label: String? = nil
    ) throws(StoreError) -> Bool {
        let rest: SQL = label.map { "AND NOT (t.label = \($0) AND t.last_used_at IS NULL)" } ?? ""
        return try !rows(
            """
            SELECT 1 AS one FROM access_token t JOIN gate_user u ON u.id = t.user_id
            WHERE u.role = 'admin' AND u.disabled_at IS NULL AND t.revoked_at IS NULL
              AND (t.expires_at IS NULL OR t.expires_at > \(now)) \(rest)
            UNION ALL
            SELECT 1 AS one FROM user_password p JOIN gate_user u ON u.id = p.user_id
            WHERE u.role = 'admin' AND u.disabled_at IS NULL LIMIT 1
            """
        ).isEmpty
    }
}

let userColumns: SQL = """
    u.id AS user_id, u.tenant_id, u.name AS user_name, u.kind AS user_kind, u.role AS user_role,
    u.allow_from AS user_allow_from, u.created_at AS user_created_at, u.disabled_at AS user_disabled_at
    """

extension User {
    /// Of a row with `userColumns`.
    init(row: SQLRow) throws(StoreError) {
        guard let role = Role(rawValue: try row.text("user_role")) else { throw .corruptRow(column: "user_role") }
        guard let kind = Kind(rawValue: try row.text("user_kind")) else { throw .corruptRow(column: "user_kind") }
        self.init(
            id: try row.id("user_id", of: User.self), tenant: try row.id("tenant_id", of: Tenant.self),
            name: try row.text("user_name"), kind: kind, role: role, allowFrom: try row.words("user_allow_from"),
            createdAt: try row.timestamp("user_created_at"),
            disabledAt: try row.optionalTimestamp("user_disabled_at"))
    }
}
