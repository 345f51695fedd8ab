public import GateModel
public import GateStore

/// Some sealed events in their order, for a destination elsewhere.
public struct AuditBatch: Sendable {
    public let gateway: ID<Gateway>
    public let events: [StoredAuditEvent]
    /// The seal over them, where they end with its last event: the anchor that goes out with them.
    public let seal: AuditSeal?

    public init(gateway: ID<Gateway>, events: [StoredAuditEvent], seal: AuditSeal?) {
        self.gateway = gateway
        self.events = events
        self.seal = seal
    }
}

/// Sends the sealed trail to one destination, in its order and at least once. The rows are the outbox: what is kept of a
/// destination is how far it has got, so one that is away for weeks costs nothing but the catching up.
public actor AuditExporter {
    public typealias Deliver = @Sendable (AuditBatch) async throws -> Void

    /// Events in one delivery, and their bytes, about.
    public static let limit = 100
    private static let byteLimit = 96 << 10
    /// Deliveries after which the place is kept, where more waits.
    private static let stride = 50

    private let trail: AuditTrail
    private let gateway: ID<Gateway>
    private let destination: String
    private let part: AuditHealth.Part
    private let health: AuditHealth
    private let deliver: Deliver
    private var place: Int64?
    private var kept: Int64 = 0

    /// `destination`: a name that stands for this place alone; another URL is another destination, which begins now.
    public init(
        _ dependencies: ControlDependencies, destination: String, part: AuditHealth.Part, deliver: @escaping Deliver
    ) {
        trail = AuditTrail(dependencies)
        gateway = dependencies.identity.gateway
        health = dependencies.auditing.health
        self.destination = destination
        self.part = part
        self.deliver = deliver
    }

    /// Sends what waits. Throws at the first delivery that fails; the next pass begins with it again.
    public func pass() async throws {
        do {
            var count = 0
            while try await sendNext() {
                count += 1
                if count.isMultiple(of: Self.stride) { try await keep() }
            }
        } catch {
            // What was delivered before it isn't sent again, if that can be written down.
            try? await keep()
            throw error
        }
        try await keep()
    }

    private func sendNext() async throws -> Bool {
        let head = try await trail.head()?.last ?? 0
        let place = try await settledPlace(head)
        health.waiting(part, max(0, head &- place))
        guard place < head, let seal = try await trail.seal(covering: place &+ 1) else { return false }
        let events = bounded(
            try await trail.events(
                from: max(place &+ 1, seal.first), to: min(seal.last, place &+ Int64(Self.limit))))
        // A seal whose events are gone: there is nothing to send of it, and what follows must not wait for ever.
        let last = events.last?.sequence ?? seal.last
        if !events.isEmpty {
            try await deliver(AuditBatch(gateway: gateway, events: events, seal: last == seal.last ? seal : nil))
        }
        self.place = last
        health.waiting(part, max(0, head &- last))
        return true
    }

    private func settledPlace(_ head: Int64) async throws -> Int64 {
        if let place { return place }
        if let known = try await trail.exported(to: destination) {
            (place, kept) = (known, known)
            return known
        }
        // New: from now on. What was before is in the file and the store.
        try await trail.noteExported(to: destination, upTo: head)
        (place, kept) = (head, head)
        return head
    }

    private func keep() async throws {
        guard let place, place != kept else { return }
        try await trail.noteExported(to: destination, upTo: place)
        kept = place
    }

    private func bounded(_ events: [StoredAuditEvent]) -> [StoredAuditEvent] {
        var bytes = 0
        return Array(
            events.prefix { event in
                defer { bytes += event.detailsJSON.utf8.count + 1_024 }
                return bytes < Self.byteLimit
            })
    }
}

/// How long to wait after the n-th failure in a row: 1 s, 2 s, 4 s, … 5 min, and of that a random part (full jitter), so
/// that many gateways don't return together.
public enum AuditRetry {
    public static let longest = Duration.seconds(300)

    public static func pause(
        afterFailures count: Int, using generator: inout some RandomNumberGenerator
    ) -> Duration {
        let seconds = min(1 << min(max(count, 1) - 1, 16), 300)
        return .milliseconds(Int.random(in: 500...max(501, seconds * 1_000), using: &generator))
    }
}
