import GateControl
import GateModel
import GateStore
import GateTesting
import Synchronization

/// A key file in memory; `failsSaves` is a full disk.
final class KeptKey: Sendable {
    private let state = Mutex<(key: SealKey?, failsSaves: Bool)>((nil, false))

    var key: SealKey? {
        get { state.withLock { $0.key } }
        set { state.withLock { $0.key = newValue } }
    }

    func fail(_ fails: Bool) { state.withLock { $0.failsSaves = fails } }

    var store: SealKeyStore {
        SealKeyStore(
            load: { self.key },
            save: { key in
                try self.state.withLock { state in
                    if state.failsSaves { throw StoreError.full("key") }
                    state.key = key
                }
            })
    }
}

/// A gateway with a sealed trail.
struct SealedTrail {
    let gateway: TestGateway
    let kept = KeptKey()

    static func make(batches: [Int] = []) async throws -> SealedTrail {
        let trail = SealedTrail(gateway: try await TestGateway.make())
        let sealer = trail.sealer()
        for count in batches {
            try await trail.write(count)
            _ = try await sealer.pass()
        }
        return trail
    }

    func sealer() -> AuditSealer { AuditSealer(gateway.dependencies, keys: kept.store) }

    func write(_ count: Int) async throws {
        for number in 0..<count {
            gateway.clock.advance(by: .milliseconds(1))
            try await gateway.dependencies.record(event("n:\(number)"))
        }
    }

    func event(_ subject: String) -> AuditEvent {
        AuditEvent(
            id: .ordered(at: gateway.clock.now), tenant: gateway.dependencies.identity.tenant,
            gateway: gateway.dependencies.identity.gateway, at: gateway.clock.now, action: .machineAdded,
            actor: "user:1", source: "192.0.2.1", subject: subject, details: [("name", "a \"b\" é"), ("n", "1")])
    }

    var seals: [AuditSeal] {
        get async throws { try await AuditTrail(gateway.dependencies).seals(after: 0, limit: 1_000) }
    }

    /// The lines of the log file.
    var lines: [String] {
        get async throws {
            let trail = AuditTrail(gateway.dependencies)
            var lines: [String] = []
            for seal in try await seals {
                for event in try await trail.events(from: seal.first, to: seal.last) {
                    lines.append(AuditLine.event(event, sequence: event.sequence ?? 0))
                }
                lines.append(AuditLine.seal(seal))
            }
            return lines
        }
    }

    /// What a look at the store finds, and where the chain begins anew.
    func check(_ anchors: [AuditAnchor] = []) async throws -> (
        findings: [String], restarts: [AuditChainCheck.Restart], anchored: [AuditAnchor: Bool]
    ) {
        let identity = gateway.dependencies.identity
        return try await gateway.database.read { tx in
            var check = AuditStoreCheck(tx: tx, gateway: identity.gateway, anchors: anchors)
            try check.run()
            return (check.chain.findings.all, check.chain.restarts, check.anchored)
        }
    }

    /// What the lines alone show.
    static func findings(in text: [UInt8]) -> [String] {
        var check = AuditLogCheck()
        var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        // What stands behind the last line break: nothing, in a whole file.
        if lines.last?.isEmpty == true { lines.removeLast() }
        for (number, line) in lines.enumerated() { _ = check.take(line, at: "line \(number + 1)") }
        check.finish()
        return check.chain.findings.all
    }

    static func text(_ lines: [String]) -> [UInt8] { Array((lines.joined(separator: "\n") + "\n").utf8) }
}
