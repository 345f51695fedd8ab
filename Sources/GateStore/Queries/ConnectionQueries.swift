public import GateModel

/// sshd processes that hold a tunnel key, kept so that the next gateway process can account for them.
extension Transaction {
    public func insertConnection(_ connection: LiveConnection, tenant: ID<Tenant>) throws(StoreError) {
        try execute(
            """
            INSERT INTO live_connection (id, tenant_id, gateway_id, key_id, pid, start_time, boot_id, source, started_at)
            VALUES (\(connection.id), \(tenant), \(connection.gateway), \(connection.key), \(Int(connection.pid)),
                \(Int64(clamping: connection.startTime)), \(connection.bootID), \(connection.source),
                \(connection.startedAt))
            ON CONFLICT (gateway_id, boot_id, pid, start_time, key_id) DO NOTHING
            """)
    }

    public func deleteConnection(pid: Int32, startTime: UInt64, on gateway: ID<Gateway>) throws(StoreError) {
        try execute(
            """
            DELETE FROM live_connection
            WHERE gateway_id = \(gateway) AND pid = \(Int(pid)) AND start_time = \(Int64(clamping: startTime))
            """)
    }

    public func deleteConnection(_ id: ID<LiveConnection>) throws(StoreError) {
        try execute("DELETE FROM live_connection WHERE id = \(id)")
    }

    public func connections(on gateway: ID<Gateway>) throws(StoreError) -> [LiveConnection] {
        try rows(
            """
            SELECT id, gateway_id, key_id, pid, start_time, boot_id, source, started_at FROM live_connection
            WHERE gateway_id = \(gateway) ORDER BY started_at DESC, id DESC
            """
        ).map { row throws(StoreError) in
            LiveConnection(
                id: try row.id("id", of: LiveConnection.self), gateway: try row.id("gateway_id", of: Gateway.self),
                key: try row.id("key_id", of: TunnelKey.self), pid: Int32(clamping: try row.integer("pid")),
                startTime: UInt64(clamping: try row.integer("start_time")), bootID: try row.text("boot_id"),
                source: try row.text("source"), startedAt: try row.timestamp("started_at"))
        }
    }
}
