public import GateModel
public import GateStore

/// Reads the audit trail.
public struct AuditService: Sendable {
    private let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    /// Newest first, at most `limit` of the caller's tenant.
    public func events(
        _ filter: AuditFilter = AuditFilter(), after: (at: Timestamp, id: ID<AuditEvent>)? = nil, limit: Int,
        by caller: Caller
    ) async throws -> [StoredAuditEvent] {
        try caller.require(.auditRead)
        return try await dependencies.database.read { tx in
            try tx.auditEvents(in: caller.tenant, filter, after: after, limit: limit)
        }
    }

    /// Sealed events of the caller's tenant behind `sequence`, in the order of the chain: for following the trail. An event
    /// is there about a second after its commit, and none ever comes in before one that was seen (ids are made before the
    /// commit, so their order isn't that of the commits). Begin with `lastSequence`.
    public func sealed(after sequence: Int64, limit: Int, by caller: Caller) async throws -> [StoredAuditEvent] {
        try caller.require(.auditRead)
        let gateway = dependencies.identity.gateway
        return try await dependencies.database.read { tx in
            try tx.sealedAuditEvents(on: gateway, in: caller.tenant, after: sequence, limit: limit)
        }
    }

    /// The place of the newest sealed event; 0 for an empty chain.
    public func lastSequence() async throws -> Int64 {
        let gateway = dependencies.identity.gateway
        return try await dependencies.database.read { tx in try tx.auditHead(of: gateway)?.last ?? 0 }
    }

    /// The newest seal, to be kept elsewhere as an anchor.
    public func head(by caller: Caller) async throws -> AuditSeal? {
        try caller.require(.auditRead)
        let gateway = dependencies.identity.gateway
        return try await dependencies.database.read { tx in try tx.auditHead(of: gateway) }
    }
}
