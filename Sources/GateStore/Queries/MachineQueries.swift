public import GateModel

/// What a list of machines may be narrowed by; nil means any.
public struct MachineFilter: Sendable, Equatable {
    public var name: String?
    public var organization: String?
    public var site: String?
    public var tag: String?
    /// Only machines that one of these selects; nil means any.
    public var selectors: [Grant.Selector]?
    /// The last machine of the page before.
    public var after: (createdAt: Timestamp, id: ID<Machine>)?
    public var limit: Int

    public init(
        name: String? = nil, organization: String? = nil, site: String? = nil, tag: String? = nil,
        selectors: [Grant.Selector]? = nil, after: (createdAt: Timestamp, id: ID<Machine>)? = nil, limit: Int = 100
    ) {
        self.name = name
        self.organization = organization
        self.site = site
        self.tag = tag
        self.selectors = selectors
        self.after = after
        self.limit = limit
    }

    public static func == (left: Self, right: Self) -> Bool {
        left.name == right.name && left.organization == right.organization && left.site == right.site
            && left.tag == right.tag && left.selectors == right.selectors && left.after?.id == right.after?.id
            && left.limit == right.limit
    }
}

extension Transaction {
    public func insertMachine(_ machine: Machine) throws(StoreError) {
        try execute(
            """
            INSERT INTO machine (id, tenant_id, agent_id, name, organization, site, generation, os, agent_version,
                source, host_keys, created_at, updated_at)
            VALUES (\(machine.id), \(machine.tenant), \(machine.agentID.rawValue), \(machine.name.rawValue),
                \(machine.organization), \(machine.site), 0, '', '', '', '', \(machine.createdAt), \(machine.updatedAt))
            """)
        try insertTags(machine.tags, of: machine.id, tenant: machine.tenant)
    }

    public func replaceTags(_ tags: [Tag], of machine: ID<Machine>, tenant: ID<Tenant>) throws(StoreError) {
        try execute("DELETE FROM machine_tag WHERE machine_id = \(machine)")
        try insertTags(tags, of: machine, tenant: tenant)
    }

    private func insertTags(_ tags: [Tag], of machine: ID<Machine>, tenant: ID<Tenant>) throws(StoreError) {
        for tag in tags {
            try execute(
                """
                INSERT INTO machine_tag (machine_id, tag, tenant_id) VALUES (\(machine), \(tag.rawValue), \(tenant))
                ON CONFLICT (machine_id, tag) DO NOTHING
                """)
        }
    }

    /// By `agent_id`, or by the id's own text.
    public func machine(called text: String, in tenant: ID<Tenant>) throws(StoreError) -> Machine? {
        let found = try machines(
            where: "m.tenant_id = \(tenant) AND m.agent_id = \(text) AND m.removed_at IS NULL", limit: 1)
        if let machine = found.first { return machine }
        guard let id = ID<Machine>(text) else { return nil }
        return try machine(id, in: tenant)
    }

    public func machine(named name: String, in tenant: ID<Tenant>) throws(StoreError) -> Machine? {
        try machines(where: "m.tenant_id = \(tenant) AND m.name = \(name) AND m.removed_at IS NULL", limit: 1).first
    }

    public func machine(_ id: ID<Machine>, in tenant: ID<Tenant>) throws(StoreError) -> Machine? {
        try machines(where: "m.id = \(id) AND m.tenant_id = \(tenant) AND m.removed_at IS NULL", limit: 1).first
    }

    /// Those of these machines that are still here.
    public func machines(_ ids: [ID<Machine>], in tenant: ID<Tenant>) throws(StoreError) -> [Machine] {
        guard !ids.isEmpty else { return [] }
        return try machines(
            where: "m.id IN \(SQL.list(ids)) AND m.tenant_id = \(tenant) AND m.removed_at IS NULL", limit: ids.count)
    }

    /// The machine that was here under that name and was removed last.
    public func removedMachine(called text: String, in tenant: ID<Tenant>) throws(StoreError) -> ID<Machine>? {
        try rows(
            """
            SELECT id FROM machine WHERE tenant_id = \(tenant) AND (agent_id = \(text) OR id = \(text))
              AND removed_at IS NOT NULL ORDER BY removed_at DESC LIMIT 1
            """
        ).first.map { row throws(StoreError) in try row.id("id", of: Machine.self) }
    }

    public func machines(_ filter: MachineFilter, in tenant: ID<Tenant>) throws(StoreError) -> [Machine] {
        var condition: SQL = "m.tenant_id = \(tenant) AND m.removed_at IS NULL"
        if let name = filter.name { condition = "\(condition) AND m.name = \(name)" }
        if let organization = filter.organization { condition = "\(condition) AND m.organization = \(organization)" }
        if let site = filter.site { condition = "\(condition) AND m.site = \(site)" }
        if let tag = filter.tag {
            condition = """
                \(condition) AND EXISTS (SELECT 1 FROM machine_tag g WHERE g.machine_id = m.id AND g.tag = \(tag))
                """
        }
        if let selectors = filter.selectors {
            guard !selectors.isEmpty else { return [] }
            condition = "\(condition) AND (\(selectors.map(\.condition).joined(by: " OR ")))"
        }
        if let after = filter.after {
            condition = "\(condition) AND (m.created_at, m.id) < (\(after.createdAt), \(after.id))"
        }
        return try machines(where: condition, limit: filter.limit)
    }

    /// Sets what a patch names; true when the machine was there.
    public func updateMachine(_ machine: Machine) throws(StoreError) -> Bool {
        try execute(
            """
            UPDATE machine SET name = \(machine.name.rawValue), organization = \(machine.organization),
                site = \(machine.site), updated_at = \(machine.updatedAt)
            WHERE id = \(machine.id) AND tenant_id = \(machine.tenant) AND removed_at IS NULL
            """) > 0
    }

    public func removeMachine(_ id: ID<Machine>, in tenant: ID<Tenant>, at now: Timestamp) throws(StoreError) -> Bool {
        try execute(
            """
            UPDATE machine SET removed_at = \(now), updated_at = \(now)
            WHERE id = \(id) AND tenant_id = \(tenant) AND removed_at IS NULL
            """) > 0
    }

    public func markEnrolled(_ id: ID<Machine>, at now: Timestamp) throws(StoreError) {
        try execute("UPDATE machine SET enrolled_at = \(now), updated_at = \(now) WHERE id = \(id)")
    }

    /// Notes what a registration reported and returns the machine's generation, raised by `raise` (0 or 1).
    public func noteRegistration(
        of id: ID<Machine>, operatingSystem: String, agentVersion: String, source: String, hostKeys: [String],
        raise: Int, at now: Timestamp
    ) throws(StoreError) -> Int64? {
        try rows(
            """
            UPDATE machine SET os = \(operatingSystem), agent_version = \(agentVersion), source = \(source),
                host_keys = \(hostKeys.joined(separator: "\n")), registered_at = \(now), last_seen_at = \(now),
                updated_at = \(now), generation = generation + \(raise)
            WHERE id = \(id) AND removed_at IS NULL RETURNING generation
            """
        ).first.map { row throws(StoreError) in try row.integer("generation") }
    }

    public func touchMachine(_ id: ID<Machine>, at now: Timestamp) throws(StoreError) {
        try execute("UPDATE machine SET last_seen_at = \(now) WHERE id = \(id) AND removed_at IS NULL")
    }

    private func machines(where condition: SQL, limit: Int) throws(StoreError) -> [Machine] {
        let found = try rows(
            """
            SELECT m.id, m.tenant_id, m.agent_id, m.name, m.organization, m.site, m.os, m.agent_version, m.source,
                m.host_keys, m.created_at, m.updated_at, m.enrolled_at, m.registered_at, m.last_seen_at
            FROM machine m WHERE \(condition) ORDER BY m.created_at DESC, m.id DESC LIMIT \(limit)
            """)
        guard !found.isEmpty else { return [] }
        var machines = try found.map { row throws(StoreError) in try Machine(row: row) }
        var tags: [ID<Machine>: [Tag]] = [:]
        for row in try rows(
            "SELECT machine_id, tag FROM machine_tag WHERE machine_id IN \(SQL.list(machines.map(\.id))) ORDER BY tag")
        {
            guard let tag = Tag(rawValue: try row.text("tag")) else { throw .corruptRow(column: "tag") }
            tags[try row.id("machine_id", of: Machine.self), default: []].append(tag)
        }
        for index in machines.indices { machines[index].tags = tags[machines[index].id] ?? [] }
        return machines
    }
}

extension Grant.Selector {
    /// The same choice as `selects`, of a machine `m`.
    fileprivate var condition: SQL {
        switch self {
        case .all: "1 = 1"
        case .machine(let id): "m.id = \(id)"
        case .tag(let tag):
            "EXISTS (SELECT 1 FROM machine_tag g WHERE g.machine_id = m.id AND g.tag = \(tag.rawValue))"
        case .organization(let name): "(m.organization = \(name) AND m.organization <> '')"
        case .site(let name): "(m.site = \(name) AND m.site <> '')"
        }
    }
}

extension Machine {
    fileprivate init(row: SQLRow) throws(StoreError) {
        guard let agentID = AgentID(rawValue: try row.text("agent_id")) else { throw .corruptRow(column: "agent_id") }
        guard let name = MachineName(rawValue: try row.text("name")) else { throw .corruptRow(column: "name") }
        self.init(
            id: try row.id("id", of: Machine.self), tenant: try row.id("tenant_id", of: Tenant.self), agentID: agentID,
            name: name, organization: try row.text("organization"), site: try row.text("site"),
            createdAt: try row.timestamp("created_at"), updatedAt: try row.timestamp("updated_at"),
            enrolledAt: try row.optionalTimestamp("enrolled_at"),
            registeredAt: try row.optionalTimestamp("registered_at"),
            lastSeenAt: try row.optionalTimestamp("last_seen_at"), operatingSystem: try row.text("os"),
            agentVersion: try row.text("agent_version"), source: try row.text("source"),
            hostKeys: try row.text("host_keys").split(separator: "\n").map(String.init))
    }
}
