public import GateModel
public import GateStore

/// Follows the audit trail: first what the store has after a cursor, then what comes.
public struct AuditFollowing: Sendable {
    /// Events get their time before they are committed, so one may show up behind another that is later. Reading on starts
    /// this much before the cursor; the follower is told some twice rather than one never.
    public static let overlap = Duration.seconds(10)
    static let page = 100
    /// Ids of the last events handed out, so that most of the overlap isn't handed out again.
    static let memory = 2_048

    private let dependencies: ControlDependencies
    private let tail: AuditTail

    public init(_ dependencies: ControlDependencies, tail: AuditTail) {
        self.dependencies = dependencies
        self.tail = tail
    }

    /// Hands each event to `deliver`, which may wait as long as it likes, until the task is cancelled or it throws.
    public func run(
        after cursor: (at: Timestamp, id: ID<AuditEvent>)?, by principal: Principal,
        deliver: (StoredAuditEvent) async throws -> Void
    ) async throws {
        guard principal.scopes.contains(.auditRead) else { throw ControlError.forbidden }
        let follower = tail.add(tenant: principal.tenant)
        defer { tail.remove(follower) }
        var sent = RecentIdentifiers(limit: Self.memory)
        // A follower without a cursor that falls behind before its first event reads on from here.
        var last = cursor ?? (dependencies.now(), .ordered(at: dependencies.now()))
        func hand(_ event: StoredAuditEvent) async throws {
            guard sent.insert(event.event.id) else { return }
            try await deliver(event)
            last = (event.event.at, event.event.id)
        }
        if cursor != nil { try await replay(after: last, of: principal.tenant, hand) }
        for await _ in follower.wakes {
            while true {
                guard let events = follower.take() else {
                    try await replay(after: last, of: principal.tenant, hand)
                    continue
                }
                guard !events.isEmpty else { break }
                for event in events { try await hand(event) }
            }
        }
        try Task.checkCancellation()
    }

    private func replay(
        after start: (at: Timestamp, id: ID<AuditEvent>), of tenant: ID<Tenant>,
        _ hand: (StoredAuditEvent) async throws -> Void
    ) async throws {
        var position = (at: start.at - Self.overlap, id: start.id)
        while true {
            let events = try await dependencies.database.read { [position] tx in
                try tx.auditEvents(in: tenant, since: position, limit: Self.page)
            }
            for event in events { try await hand(event) }
            guard let end = events.last, events.count == Self.page else { return }
            position = (end.event.at, end.event.id)
        }
    }
}

/// The last so many ids.
struct RecentIdentifiers {
    private var known: Set<ID<AuditEvent>> = []
    private var order: [ID<AuditEvent>] = []
    private var oldest = 0
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// False for one that is among them.
    mutating func insert(_ id: ID<AuditEvent>) -> Bool {
        guard known.insert(id).inserted else { return false }
        if order.count < limit {
            order.append(id)
        } else {
            known.remove(order[oldest])
            order[oldest] = id
            oldest = (oldest + 1) % limit
        }
        return true
    }
}
