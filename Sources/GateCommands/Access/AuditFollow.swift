import GateClient
import GateModel
import GateWire
import Synchronization

/// Prints audit events as they happen, across restarts of the gateway and lost connections, none twice.
struct AuditFollow: Sendable {
    let client: GatewayClient
    let json: Bool
    let choice: Choice

    /// Which events are shown.
    struct Choice: Sendable {
        var action: String?
        /// This one and what is worse.
        var severity: AuditEvent.Severity?
        var since: Timestamp?

        func takes(_ event: AuditEventBody) -> Bool {
            guard action == nil || event.action == action, since.map({ event.at >= $0 }) ?? true else { return false }
            guard let severity else { return true }
            let ranks = AuditEvent.Severity.allCases
            guard let least = ranks.firstIndex(of: severity),
                let rank = AuditEvent.Severity(rawValue: event.severity).flatMap({ ranks.firstIndex(of: $0) })
            else { return true }
            return rank >= least
        }
    }

    /// From `since`, or from now on. Ends with a refusal, or when nobody reads any more what is printed.
    func run() async throws {
        // A cursor names the event before; none has this id.
        let told = ToldEvents(cursor: choice.since.map { "\($0.microseconds)~00000000-0000-0000-0000-000000000000" })
        if choice.since == nil {
            // Everything up to here counts as told, so that the stream's overlap doesn't tell it again.
            for event in try await client.auditEvents(limit: 500).reversed() { _ = told.note(event) }
        }
        var attempt = 0
        while true {
            var pause: Int?
            do {
                let close = try await client.followAudit(after: told.cursor) { event in
                    told.note(event) ? show(event) : true
                }
                guard close.code != 1000 else { return }
                Terminal.note("\(TerminalText.neutralised(close.reason)) (\(close.code)); following on")
                attempt = 0
            } catch {
                // A gateway that was followed and is away comes back; one that refuses, or never was there, is told at once.
                guard told.wasReached, CommandFailure(error).code != .refused else { throw error }
                pause = error.retryAfter
                attempt += 1
            }
            told.reach()
            let ceiling = min(1 << min(attempt, 5), 30)
            let seconds = Double.random(in: 0.2...Double(ceiling)) + Double(min(pause ?? 0, 300))
            try await Task.sleep(for: .milliseconds(Int(seconds * 1_000)))
        }
    }

    /// False when nobody reads what is printed.
    private func show(_ event: AuditEventBody) -> Bool {
        guard choice.takes(event) else { return true }
        return Terminal.print(json ? (try? JSONText.line(event)) ?? "" : event.line)
    }
}

extension AuditEventBody {
    /// The facts a person reads, in the order of the table's columns.
    fileprivate var line: String {
        let details = details.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        return [at.shown, action, outcome, severity, actor, subject, source, details]
            .filter { !$0.isEmpty }.map(TerminalText.neutralised).joined(separator: "  ")
    }
}

/// Which events were told, and where to read on.
private final class ToldEvents: Sendable {
    private struct State {
        var cursor: String?
        var wasReached = false
        var known: Set<String> = []
        var order: [String] = []
    }

    private static let memory = 4_096

    private let state: Mutex<State>

    init(cursor: String?) { state = Mutex(State(cursor: cursor)) }

    var cursor: String? { state.withLock { $0.cursor } }
    /// Whether a stream has ended by itself before, so that the gateway is known to be there.
    var wasReached: Bool { state.withLock { $0.wasReached } }

    func reach() { state.withLock { $0.wasReached = true } }

    /// False for an event that was told before.
    func note(_ event: AuditEventBody) -> Bool {
        state.withLock { state in
            state.wasReached = true
            guard state.known.insert(event.id).inserted else { return false }
            state.order.append(event.id)
            if state.order.count > Self.memory {
                state.known.subtract(state.order.prefix(Self.memory / 2))
                state.order.removeFirst(Self.memory / 2)
            }
            state.cursor = "\(event.at.microseconds)~\(event.id)"
            return true
        }
    }
}
