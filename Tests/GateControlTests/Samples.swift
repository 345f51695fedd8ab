import GateControl
import GateModel
import GateSSH
import GateTesting

/// Checked names of literals.
func named<Name: CheckedName>(_ text: String, as type: Name.Type = Name.self) throws -> Name {
    guard let name = Name(rawValue: text) else { throw BadSample() }
    return name
}

extension TestGateway {
    var machines: MachineService { MachineService(dependencies) }
    var enrolments: EnrolmentService { EnrolmentService(dependencies) }
    var agentKeys: AgentKeyService { AgentKeyService(dependencies) }
    var tunnelKeys: TunnelKeyService { TunnelKeyService(dependencies) }
    var tokens: TokenService { TokenService(dependencies) }

    /// With leases of two minutes.
    var registration: RegistrationService { RegistrationService(dependencies, leaseLifetime: .seconds(120)) }

    /// Registers with this key; the lease.
    @discardableResult
    func register(_ machine: Enrolled, key: UInt64) async throws -> Lease {
        try await registration.register(report(key: key), by: machine.caller).lease
    }

    @discardableResult
    func addJump(
        _ number: UInt64, to names: [String], login: Int = 600, connection: Int = 1_200, by caller: Caller? = nil
    ) async throws -> (key: TunnelKey, isNew: Bool) {
        let (described, isNew) = try await tunnelKeys.add(
            SampleKeys.publicKey(number), machines: names, label: named("laptop"), login: .seconds(login),
            connection: .seconds(connection), by: caller ?? admin)
        return (described.key, isNew)
    }

    /// An sshd process that asks for the key and is let in; nil when it is refused.
    @discardableResult
    func connect(key number: UInt64, pid: Int32) throws -> SSHProcess? {
        let process = SSHProcess(pid: pid, startTime: 1)
        let grant = try KeyLookup(dependencies).grant(
            for: SampleKeys.publicKey(number).fingerprint, process: process, source: "192.0.2.5")
        return grant == nil ? nil : process
    }

    /// The administrator by a token of their own.
    func userCaller() async throws -> Caller {
        let token = try await administratorToken()
        guard let principal = try await Authentication(dependencies).principal(bearer: token, source: "s") else {
            throw BadSample()
        }
        return Caller(principal: principal, source: "192.0.2.2")
    }
}
