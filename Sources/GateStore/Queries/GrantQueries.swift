public import GateModel

extension Transaction {
    public func insertGrant(_ grant: Grant) throws(StoreError) {
        let (user, role) = grant.subject.columns
        let (kind, selector) = grant.selector.columns
        let modes = Grant.Mode.allCases.filter(grant.modes.contains).map(\.rawValue).joined(separator: " ")
        try execute(
            """
            INSERT INTO access_grant (id, tenant_id, user_id, role, selector_kind, selector, modes, logins, created_at,
                expires_at)
            VALUES (\(grant.id), \(grant.tenant), \(user), \(role), \(kind), \(selector), \(modes),
                \(grant.logins.map(\.rawValue).joined(separator: " ")), \(grant.createdAt), \(grant.expiresAt))
            """)
    }

    /// Every grant that isn't ended and names the user or the user's role; expired ones too, so that an answer can say so.
    public func openGrants(for user: User) throws(StoreError) -> [Grant] {
        try rows("SELECT \(columns) FROM access_grant WHERE user_id = \(user.id) AND ended_at IS NULL ORDER BY id")
            .map { row throws(StoreError) in try Grant(row: row) }
            + rows(
                """
                SELECT \(columns) FROM access_grant
                WHERE tenant_id = \(user.tenant) AND role = \(user.role.rawValue) AND ended_at IS NULL ORDER BY id
                """
            ).map { row throws(StoreError) in try Grant(row: row) }
    }

    /// Newest first; `after` is the last grant of the page before. Ended ones only with `ended`.
    public func grants(
        in tenant: ID<Tenant>, user: ID<User>?, role: Role?, ended: Bool,
        after: (createdAt: Timestamp, id: ID<Grant>)?, limit: Int
    ) throws(StoreError) -> [Grant] {
        var condition: SQL = "tenant_id = \(tenant)"
        if let user { condition = "\(condition) AND user_id = \(user)" }
        if let role { condition = "\(condition) AND role = \(role.rawValue)" }
        if !ended { condition = "\(condition) AND ended_at IS NULL" }
        if let after { condition = "\(condition) AND (created_at, id) < (\(after.createdAt), \(after.id))" }
        return try rows(
            "SELECT \(columns) FROM access_grant WHERE \(condition) ORDER BY created_at DESC, id DESC LIMIT \(limit)"
        ).map { row throws(StoreError) in try Grant(row: row) }
    }

    public func grant(_ id: ID<Grant>, in tenant: ID<Tenant>) throws(StoreError) -> Grant? {
        try rows("SELECT \(columns) FROM access_grant WHERE id = \(id) AND tenant_id = \(tenant)").first
            .map { row throws(StoreError) in try Grant(row: row) }
    }

    public func openGrantCount(in tenant: ID<Tenant>) throws(StoreError) -> Int {
        try rows("SELECT count(*) AS n FROM access_grant WHERE tenant_id = \(tenant) AND ended_at IS NULL")
            .first?.int("n") ?? 0
    }

    /// True when this call ended it.
    public func endGrant(_ id: ID<Grant>, at now: Timestamp) throws(StoreError) -> Bool {
        try execute("UPDATE access_grant SET ended_at = \(now) WHERE id = \(id) AND ended_at IS NULL") > 0
    }

    /// Grants whose time is over and that nobody ended yet.
    public func expiredGrants(at now: Timestamp, limit: Int) throws(StoreError) -> [Grant] {
        try rows(
            """
            SELECT \(columns) FROM access_grant
            WHERE ended_at IS NULL AND expires_at IS NOT NULL AND expires_at <= \(now) ORDER BY expires_at LIMIT \(limit)
            """
        ).map { row throws(StoreError) in try Grant(row: row) }
    }

    /// The fingerprints of the living jump and forward keys of everybody a grant may speak of.
    public func livePersonalKeys(of subject: Grant.Subject, in tenant: ID<Tenant>) throws(StoreError) -> [String] {
        let owners: SQL =
            switch subject {
            case .user(let id): "user_id = \(id)"
            case .role(let role):
                "user_id IN (SELECT id FROM gate_user WHERE tenant_id = \(tenant) AND role = \(role.rawValue))"
            }
        return try rows(
            """
            SELECT fingerprint FROM tunnel_key
            WHERE \(owners) AND tenant_id = \(tenant) AND purpose IN ('jump', 'forward') AND revoked_at IS NULL
            """
        ).map { row throws(StoreError) in try row.text("fingerprint") }
    }

    /// The fingerprints of the living jump keys that reach a machine by a grant.
    public func liveJumpKeys(grantedReaching machine: ID<Machine>) throws(StoreError) -> [String] {
        try rows(
            """
            SELECT k.fingerprint FROM tunnel_key_reach r JOIN tunnel_key k ON k.id = r.tunnel_key_id
              JOIN gate_user u ON u.id = k.user_id
            WHERE r.machine_id = \(machine) AND k.revoked_at IS NULL AND u.role <> 'admin'
            """
        ).map { row throws(StoreError) in try row.text("fingerprint") }
    }
}

private let columns: SQL = """
    id, tenant_id, user_id, role, selector_kind, selector, modes, logins, created_at, expires_at, ended_at
    """

extension Grant {
    fileprivate init(row: SQLRow) throws(StoreError) {
        let subject: Subject
        if let user = try row.optionalID("user_id", of: User.self) {
            subject = .user(user)
        } else {
            guard let role = Role(rawValue: try row.text("role")) else { throw .corruptRow(column: "role") }
            subject = .role(role)
        }
        guard let selector = Selector(kind: try row.text("selector_kind"), text: try row.text("selector")) else {
            throw .corruptRow(column: "selector")
        }
        var modes: Set<Mode> = []
        for word in try row.words("modes") {
            guard let mode = Mode(rawValue: word) else { throw .corruptRow(column: "modes") }
            modes.insert(mode)
        }
        var logins: [LoginName] = []
        for word in try row.words("logins") {
            guard let login = LoginName(rawValue: word) else { throw .corruptRow(column: "logins") }
            logins.append(login)
        }
        self.init(
            id: try row.id("id", of: Grant.self), tenant: try row.id("tenant_id", of: Tenant.self), subject: subject,
            selector: selector, modes: modes, logins: logins, createdAt: try row.timestamp("created_at"),
            expiresAt: try row.optionalTimestamp("expires_at"), endedAt: try row.optionalTimestamp("ended_at"))
    }
}

extension Grant.Subject {
    fileprivate var columns: (user: ID<User>?, role: String?) {
        switch self {
        case .user(let id): (id, nil)
        case .role(let role): (nil, role.rawValue)
        }
    }
}

extension Grant.Selector {
    fileprivate var columns: (kind: String, text: String) {
        switch self {
        case .all: ("all", "")
        case .machine(let id): ("machine", id.text)
        case .tag(let tag): ("tag", tag.rawValue)
        case .organization(let name): ("organization", name)
        case .site(let name): ("site", name)
        }
    }

    fileprivate init?(kind: String, text: String) {
        switch kind {
        case "all": self = .all
        case "machine":
            guard let id = ID<Machine>(text) else { return nil }
            self = .machine(id)
        case "tag":
            guard let tag = Tag(rawValue: text) else { return nil }
            self = .tag(tag)
        case "organization": self = .organization(text)
        case "site": self = .site(text)
        default: return nil
        }
    }
}
