public import GateModel
public import GateSSH
import GateStore

/// Takes over the agents of an ssh-tunnel-gateway: each keeps its id, its port, its lease and the key it holds. All of
/// them or none; the same list again changes nothing.
public struct SharedKeyImport: Sendable {
    /// One agent as the other gateway's state has it.
    public struct Entry: Sendable, Hashable {
        public let agentID: AgentID
        public let port: Int
        public let publicKey: SSHPublicKey
        public let lastSeen: Timestamp
        public let leaseUntil: Timestamp

        public init(
            agentID: AgentID, port: Int, publicKey: SSHPublicKey, lastSeen: Timestamp, leaseUntil: Timestamp
        ) {
            self.agentID = agentID
            self.port = port
            self.publicKey = publicKey
            self.lastSeen = lastSeen
            self.leaseUntil = leaseUntil
        }
    }

    public struct Report: Sendable, Hashable {
        public var imported: Int
        public var unchanged: Int
        /// Their lease had ended already; the other gateway would have dropped them at its next request.
        public var expired: Int
        /// How many of the imported keys are RSA.
        public var rsaKeys: Int

        package init(imported: Int = 0, unchanged: Int = 0, expired: Int = 0, rsaKeys: Int = 0) {
            self.imported = imported
            self.unchanged = unchanged
            self.expired = expired
            self.rsaKeys = rsaKeys
        }
    }

    /// As many as there are ports.
    public static let limit = 65_535
    static let shownFaults = 20

    private let dependencies: ControlDependencies

    public init(_ dependencies: ControlDependencies) { self.dependencies = dependencies }

    private struct Trial: Error { let report: Report }

    /// With `isTrial` everything is checked and nothing changed.
    public func run(_ entries: [Entry], isTrial: Bool, by caller: Caller) async throws -> Report {
        try caller.require([.machinesWrite, .accessWrite])
        try checkAmongThemselves(entries)
        let now = dependencies.now()
        let result: (report: Report, machines: [ID<Machine>], ports: [Int])
        do {
            result = try await dependencies.database.write { [self] tx in
                let result = try take(entries, at: now, by: caller, in: tx)
                if isTrial { throw Trial(report: result.report) }
                return result
            }
        } catch let trial as Trial {
            return trial.report
        }
        dependencies.ports.hold(result.ports)
        dependencies.keys.refresh(machines: Set(result.machines))
        dependencies.leases.drop(result.machines)
        if result.report.rsaKeys > 0 { await dependencies.effects.rsaKeysImported() }
        await dependencies.effects.keysChanged()
        return result.report
    }

    private func checkAmongThemselves(_ entries: [Entry]) throws {
        var faults: [String] = []
        var ids: Set<AgentID> = []
        var ports: [Int: AgentID] = [:]
        var keys: [String: AgentID] = [:]
        let range = dependencies.ports.range
        for entry in entries {
            if !ids.insert(entry.agentID).inserted { faults.append("agent_id \(entry.agentID) is there twice") }
            if let other = ports.updateValue(entry.agentID, forKey: entry.port) {
                faults.append("port \(entry.port) belongs to \(other) and to \(entry.agentID)")
            }
            if let other = keys.updateValue(entry.agentID, forKey: entry.publicKey.fingerprint) {
                faults.append("\(other) and \(entry.agentID) have one and the same key")
            }
            if !range.contains(entry.port) {
                faults.append(
                    "port \(entry.port) of \(entry.agentID) is outside --lease-ports \(range.lowerBound)-\(range.upperBound)"
                )
            }
        }
        if !faults.isEmpty { throw ControlError.importRefused(Array(faults.prefix(Self.shownFaults))) }
    }

    private func take(
        _ entries: [Entry], at now: Timestamp, by caller: Caller, in tx: any Transaction
    ) throws -> (report: Report, machines: [ID<Machine>], ports: [Int]) {
        let (tenant, gateway) = (caller.tenant, dependencies.identity.gateway)
        let address = dependencies.ports.address
        let leased = Set(try tx.leasedPorts(on: gateway, address: address))
        let resting = Set(
            try tx.restingPorts(on: gateway, address: address, at: now).filter { $0.restsUntil > now }.map(\.port))
        var (report, faults) = (Report(), [String]())
        var (machines, ports) = ([ID<Machine>](), [Int]())
        for entry in entries {
            if let agent = try tx.sharedKeyAgent(entry.agentID, in: tenant) {
                // Its key may have been replaced since; what counts is that the agent finds its port.
                if try tx.lease(of: agent.machine, on: gateway)?.port == entry.port {
                    report.unchanged += 1
                } else {
                    faults.append("agent_id \(entry.agentID) is here already, with another port or none")
                }
                continue
            }
            guard entry.leaseUntil > now else {
                report.expired += 1
                continue
            }
            do {
                try tx.requireUnknown(entry.agentID, in: tenant)
            } catch {
                faults.append("agent_id \(entry.agentID) is a machine of this gateway already")
                continue
            }
            if leased.contains(entry.port) {
                faults.append("port \(entry.port) of \(entry.agentID) is leased to another machine here")
            } else if resting.contains(entry.port) {
                faults.append("port \(entry.port) of \(entry.agentID) was freed a moment ago; try again in a minute")
            } else if try tx.unrevokedTunnelKey(fingerprint: entry.publicKey.fingerprint) != nil {
                faults.append("the key of \(entry.agentID) is registered here already, by another owner")
            } else {
                machines.append(try insert(entry, tenant: tenant, at: now, in: tx))
                ports.append(entry.port)
                report.imported += 1
                if entry.publicKey.kind == .rsa { report.rsaKeys += 1 }
            }
        }
        guard faults.isEmpty else { throw ControlError.importRefused(Array(faults.prefix(Self.shownFaults))) }
        try tx.appendAudit(
            dependencies.event(
                .agentsImported, by: caller, subject: "gateway:\(gateway)", at: now,
                details: [
                    ("imported", String(report.imported)), ("unchanged", String(report.unchanged)),
                    ("expired", String(report.expired)),
                ]))
        return (report, machines, ports)
    }

    private func insert(
        _ entry: Entry, tenant: ID<Tenant>, at now: Timestamp, in tx: any Transaction
    ) throws -> ID<Machine> {
        let id = ID<Machine>.random()
        let name = try tx.freeName(for: entry.agentID, id: id, in: tenant)
        try tx.insertMachine(
            Machine(id: id, tenant: tenant, agentID: entry.agentID, name: name, createdAt: now, updatedAt: now))
        try tx.touchMachine(id, at: entry.lastSeen)
        try tx.insertSharedKeyAgent(id, tenant: tenant, owner: nil, at: now)
        _ = try tx.takePort(
            Lease(
                tenant: tenant, gateway: dependencies.identity.gateway, machine: id,
                address: dependencies.ports.address,
                port: entry.port, generation: 0, createdAt: now, expiresAt: entry.leaseUntil))
        try tx.insertTunnelKey(
            TunnelKey(
                id: .ordered(at: now), tenant: tenant, purpose: .reverse, fingerprint: entry.publicKey.fingerprint,
                publicKey: entry.publicKey.line, machine: id, issue: 0, createdAt: now,
                loginUntil: now + SharedKeyService.keyLifetime, connectionUntil: now + SharedKeyService.keyLifetime),
            reach: [])
        return id
    }
}
