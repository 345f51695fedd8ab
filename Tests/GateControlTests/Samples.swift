import GateControl
import GateModel
import GateSSH
import GateTesting

/// Checked names of literals.
func named<Name: CheckedName>(_ text: String, as type: Name.Type = Name.self) throws -> Name {
    guard let name = Name(rawValue: text) else { throw BadSample() }
    return name
}

func wish(
    _ label: String, _ lifetime: Duration = .seconds(60), owner: String? = nil, scopes: Scopes? = nil,
    from blocks: [String] = []
) throws -> TokenService.Wish {
    TokenService.Wish(
        label: try named(label), lifetime: lifetime, owner: try owner.map { try named($0) }, scopes: scopes,
        allowFrom: blocks.compactMap { AddressBlock($0) })
}

extension TestGateway {
    var machines: MachineService { MachineService(dependencies) }
    var enrolments: EnrolmentService { EnrolmentService(dependencies) }
    var agentKeys: AgentKeyService { AgentKeyService(dependencies) }
    var tunnelKeys: TunnelKeyService { TunnelKeyService(dependencies) }
    var tokens: TokenService { TokenService(dependencies) }
    var users: UserService { UserService(dependencies) }
    var grants: GrantService { GrantService(dependencies) }

    /// A user of that role, by a token of theirs.
    func add(
        user name: String, role: Role, kind: User.Kind = .person, scopes: Scopes? = nil
    ) async throws -> (caller: Caller, text: String) {
        _ = try await users.add(name: named(name), kind: kind, role: role, allowFrom: [], by: admin)
        let text = try await tokens.add(wish("own", .seconds(3_600), owner: name, scopes: scopes), by: admin).text
        return (try await caller(text.reveal()), text.reveal())
    }

    func caller(_ bearer: String, source: String = "192.0.2.2") async throws -> Caller {
        guard let principal = try await Authentication(dependencies).principal(bearer: bearer, source: source) else {
            throw BadSample()
        }
        return Caller(principal: principal, source: source)
    }

    func grant(
        _ user: String, on machine: String, modes: Set<Grant.Mode> = [.ssh, .view], lifetime: Duration? = nil
    ) async throws -> ID<Grant> {
        try await grants.add(
            to: .user(named(user)), on: .machine(machine), modes: modes, logins: [], lifetime: lifetime, by: admin
        ).grant.id
    }

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
        try await caller(administratorToken())
    }
}
