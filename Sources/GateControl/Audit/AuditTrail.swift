public import GateModel
public import GateStore

/// This gateway's sealed trail, for whoever copies it elsewhere: the log file and exports.
public struct AuditTrail: Sendable {
    private let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    public func head() async throws -> AuditSeal? {
        let gateway = dependencies.identity.gateway
        return try await dependencies.database.read { tx in try tx.auditHead(of: gateway) }
    }

    /// Seals behind this number, in their order.
    public func seals(after number: Int64, limit: Int) async throws -> [AuditSeal] {
        let gateway = dependencies.identity.gateway
        return try await dependencies.database.read { tx in
            try tx.auditSeals(of: gateway, after: number, limit: limit)
        }
    }

    /// The seal that covers an event, or the first behind it.
    public func seal(covering sequence: Int64) async throws -> AuditSeal? {
        let gateway = dependencies.identity.gateway
        return try await dependencies.database.read { tx in try tx.auditSeal(of: gateway, covering: sequence) }
    }

    /// Events of every tenant, from `first` to `last`.
    public func events(from first: Int64, to last: Int64) async throws -> [StoredAuditEvent] {
        let gateway = dependencies.identity.gateway
        return try await dependencies.database.read { tx in
            try tx.sealedAuditEvents(on: gateway, from: first, to: last)
        }
    }

    /// How far a destination has got; nil for one that was never sent anything.
    public func exported(to destination: String) async throws -> Int64? {
        let gateway = dependencies.identity.gateway
        return try await dependencies.database.read { tx in try tx.auditExport(to: destination, of: gateway) }
    }

    public func noteExported(to destination: String, upTo sequence: Int64) async throws {
        let (gateway, now) = (dependencies.identity.gateway, dependencies.now())
        try await dependencies.database.write { tx in
            try tx.noteAuditExport(to: destination, of: gateway, upTo: sequence, at: now)
        }
    }
}
