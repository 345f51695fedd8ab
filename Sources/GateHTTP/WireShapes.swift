import GateControl
import GateModel
import GateStore
import GateWire

extension LeaseBody {
    init(_ lease: Lease) {
        self.init(address: lease.address, port: lease.port, generation: lease.generation, expiresAt: lease.expiresAt)
    }
}

extension MachineBody {
    init(_ described: MachineService.Described) {
        let machine = described.machine
        self.init(
            id: machine.id.text, agentID: machine.agentID.rawValue, name: machine.name.rawValue,
            organization: machine.organization, site: machine.site, tags: machine.tags.map(\.rawValue),
            createdAt: machine.createdAt, updatedAt: machine.updatedAt, enrolledAt: machine.enrolledAt,
            lastSeenAt: machine.lastSeenAt, connected: described.connected, transport: "ssh",
            operatingSystem: machine.operatingSystem, agentVersion: machine.agentVersion, source: machine.source,
            hostKeys: machine.hostKeys, lease: described.lease.map(LeaseBody.init))
    }
}

extension EnrolmentBody {
    init(_ token: EnrolmentToken, text: String? = nil, publicURL: String? = nil) {
        self.init(
            id: token.id.text, token: text, createdAt: token.createdAt, expiresAt: token.expiresAt,
            consumedAt: token.consumedAt, revokedAt: token.revokedAt,
            command: text.flatMap { text in publicURL.map { "tidegate-agent enrol \($0) \(text)" } })
    }
}

extension AgentKeyBody {
    init(_ key: AgentKey, text: String? = nil) {
        self.init(
            id: key.id.text, machineID: key.machine.text, key: text, createdAt: key.createdAt,
            lastUsedAt: key.lastUsedAt, revokedAt: key.revokedAt)
    }
}

extension TokenBody {
    init(_ token: AccessToken, text: String? = nil) {
        self.init(
            id: token.id.text, token: text, label: token.label, scopes: token.scopes?.names,
            allowFrom: token.allowFrom, createdAt: token.createdAt, expiresAt: token.expiresAt,
            lastUsedAt: token.lastUsedAt, revokedAt: token.revokedAt)
    }
}

extension TunnelKeyBody {
    init(_ described: TunnelKeyService.Described) {
        let key = described.key
        self.init(
            id: key.id.text, purpose: key.purpose.rawValue, fingerprint: key.fingerprint, publicKey: key.publicKey,
            label: key.label,
            machines: described.machines.map { machine, lease in
                ReachableMachineBody(
                    id: machine.id.text, agentID: machine.agentID.rawValue, name: machine.name.rawValue,
                    hostKeys: machine.hostKeys, lease: lease.map(LeaseBody.init))
            },
            createdAt: key.createdAt, loginUntil: key.loginUntil, connectionUntil: key.connectionUntil,
            revokedAt: key.revokedAt)
    }
}

extension RegisteredBody {
    init(machine: Machine, lease: Lease, gateway facts: GatewayFacts) {
        let gateway = facts.body
        let jump = gateway.sshPort == 22 ? gateway.sshHost : "\(gateway.sshHost):\(gateway.sshPort)"
        self.init(
            agentID: machine.agentID.rawValue, machineID: machine.id.text, name: machine.name.rawValue,
            portB: lease.port, generation: lease.generation, sshUser: gateway.sshUser, sshJumpUser: gateway.sshUser,
            sshJumpHost: gateway.sshHost, reverseBindHost: lease.address,
            connectHint: "ssh -J \(gateway.sshUser)@\(jump) -p \(lease.port) \(lease.address)",
            leaseExpiresAt: lease.expiresAt, heartbeatSeconds: facts.heartbeatSeconds, gateway: gateway)
    }
}
