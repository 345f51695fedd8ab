public import GateModel

/// A port that rests after a lease ended.
public struct PortRest: Sendable, Hashable {
    public var port: Int
    public var tenant: ID<Tenant>
    /// Nobody gets it before this.
    public var restsUntil: Timestamp
    /// No other tenant gets it before this.
    public var foreignUntil: Timestamp

    public init(port: Int, tenant: ID<Tenant>, restsUntil: Timestamp, foreignUntil: Timestamp) {
        self.port = port
        self.tenant = tenant
        self.restsUntil = restsUntil
        self.foreignUntil = foreignUntil
    }
}

extension Transaction {
    /// The machine's lease on this gateway, expired or not.
    public func lease(of machine: ID<Machine>, on gateway: ID<Gateway>) throws(StoreError) -> Lease? {
        try rows("SELECT \(leaseColumns) FROM lease WHERE gateway_id = \(gateway) AND machine_id = \(machine)").first
            .map { row throws(StoreError) in try Lease(row: row) }
    }

    public func leases(of machines: [ID<Machine>], on gateway: ID<Gateway>) throws(StoreError) -> [Lease] {
        guard !machines.isEmpty else { return [] }
        return try rows(
            """
            SELECT \(leaseColumns) FROM lease
            WHERE gateway_id = \(gateway) AND machine_id IN \(SQL.list(machines))
            """
        ).map { row throws(StoreError) in try Lease(row: row) }
    }

    public func leasedPorts(on gateway: ID<Gateway>, address: String) throws(StoreError) -> [Int] {
        try rows("SELECT port FROM lease WHERE gateway_id = \(gateway) AND address = \(address)")
            .map { row throws(StoreError) in try row.int("port") }
    }

    public func restingPorts(on gateway: ID<Gateway>, address: String, at now: Timestamp) throws(StoreError)
        -> [PortRest]
    {
        try rows(
            """
            SELECT port, tenant_id, rests_until, foreign_until FROM port_rest
            WHERE gateway_id = \(gateway) AND address = \(address) AND foreign_until > \(now)
            """
        ).map { row throws(StoreError) in
            PortRest(
                port: try row.int("port"), tenant: try row.id("tenant_id", of: Tenant.self),
                restsUntil: try row.timestamp("rests_until"), foreignUntil: try row.timestamp("foreign_until"))
        }
    }

    /// Takes the port if nobody holds it; the row count is the verdict.
    public func takePort(_ lease: Lease) throws(StoreError) -> Bool {
        try execute(
            """
            INSERT INTO lease (gateway_id, address, port, tenant_id, machine_id, generation, created_at, expires_at)
            VALUES (\(lease.gateway), \(lease.address), \(lease.port), \(lease.tenant), \(lease.machine),
                \(lease.generation), \(lease.createdAt), \(lease.expiresAt))
            ON CONFLICT (gateway_id, address, port) DO NOTHING
            """) > 0
    }

    /// Keeps the machine's lease and sets its generation and end; nil when it holds none at that address.
    public func renewLease(
        of machine: ID<Machine>, on gateway: ID<Gateway>, address: String, generation: Int64, until: Timestamp
    ) throws(StoreError) -> Lease? {
        try rows(
            """
            UPDATE lease SET generation = \(generation), expires_at = \(until)
            WHERE gateway_id = \(gateway) AND machine_id = \(machine) AND address = \(address)
            RETURNING \(leaseColumns)
            """
        ).first.map { row throws(StoreError) in try Lease(row: row) }
    }

    /// Moves the end of a lease that is still this generation's; false when there is none that ends earlier.
    @discardableResult
    public func extendLease(
        of machine: ID<Machine>, on gateway: ID<Gateway>, generation: Int64, until: Timestamp
    ) throws(StoreError) -> Bool {
        try execute(
            """
            UPDATE lease SET expires_at = \(until)
            WHERE gateway_id = \(gateway) AND machine_id = \(machine) AND generation = \(generation)
              AND expires_at < \(until)
            """) > 0
    }

    /// Ends the machine's lease here and lays its port to rest. The ended lease, or nil when there was none.
    public func endLease(
        of machine: ID<Machine>, on gateway: ID<Gateway>, restsUntil: Timestamp, foreignUntil: Timestamp
    ) throws(StoreError) -> Lease? {
        let ended = try rows(
            """
            DELETE FROM lease WHERE gateway_id = \(gateway) AND machine_id = \(machine) RETURNING \(leaseColumns)
            """)
        guard let row = ended.first else { return nil }
        let lease = try Lease(row: row)
        try execute(
            """
            INSERT INTO port_rest (gateway_id, address, port, tenant_id, rests_until, foreign_until)
            VALUES (\(gateway), \(lease.address), \(lease.port), \(lease.tenant), \(restsUntil), \(foreignUntil))
            ON CONFLICT (gateway_id, address, port) DO UPDATE SET tenant_id = excluded.tenant_id,
                rests_until = excluded.rests_until, foreign_until = excluded.foreign_until
            """)
        return lease
    }

    public func expiredLeases(on gateway: ID<Gateway>, at now: Timestamp, limit: Int) throws(StoreError) -> [Lease] {
        try rows(
            """
            SELECT \(leaseColumns) FROM lease WHERE gateway_id = \(gateway) AND expires_at <= \(now)
            ORDER BY expires_at LIMIT \(limit)
            """
        ).map { row throws(StoreError) in try Lease(row: row) }
    }

    /// Whether `forgetRests` has anything to do.
    public func hasForgottenRests(on gateway: ID<Gateway>, before now: Timestamp) throws(StoreError) -> Bool {
        !(try rows(
            "SELECT port FROM port_rest WHERE gateway_id = \(gateway) AND foreign_until <= \(now) LIMIT 1"
        ).isEmpty)
    }

    public func forgetRests(on gateway: ID<Gateway>, before now: Timestamp) throws(StoreError) {
        try execute("DELETE FROM port_rest WHERE gateway_id = \(gateway) AND foreign_until <= \(now)")
    }
}

private let leaseColumns: SQL = "gateway_id, address, port, tenant_id, machine_id, generation, created_at, expires_at"

extension Lease {
    fileprivate init(row: SQLRow) throws(StoreError) {
        self.init(
            tenant: try row.id("tenant_id", of: Tenant.self), gateway: try row.id("gateway_id", of: Gateway.self),
            machine: try row.id("machine_id", of: Machine.self), address: try row.text("address"),
            port: try row.int("port"), generation: try row.integer("generation"),
            createdAt: try row.timestamp("created_at"), expiresAt: try row.timestamp("expires_at"))
    }
}
