import GateModel
public import GateWire

/// Which machines a list shows; an empty filter shows all.
public struct MachineFilter: Sendable, Hashable {
    public var name: String?
    public var organization: String?
    public var site: String?
    /// A machine has to carry all of them.
    public var tags: [String]

    public init(name: String? = nil, organization: String? = nil, site: String? = nil, tags: [String] = []) {
        self.name = name
        self.organization = organization
        self.site = site
        self.tags = tags
    }

    var query: [(String, String)] {
        var pairs = [(String, String)]()
        if let name { pairs.append(("name", name)) }
        if let organization { pairs.append(("organization", organization)) }
        if let site { pairs.append(("site", site)) }
        return pairs + tags.map { ("tag", $0) }
    }
}

extension GatewayClient {
    // MARK: Machines

    /// Makes a machine and its first enrolment token.
    public func addMachine(_ request: AddMachineRequest) async throws(GatewayClientError) -> AddedMachineBody {
        try await send(.post, APIPath.machines, body: request)
    }

    /// Machines, newest first, all pages of them or at most `limit`.
    public func machines(
        _ filter: MachineFilter = MachineFilter(), after: String? = nil, limit: Int? = nil
    ) async throws(GatewayClientError) -> [MachineBody] {
        try await pages(APIPath.machines, filter.query, after: after, limit: limit)
    }

    /// One machine by agent_id.
    public func machine(_ agentID: String) async throws(GatewayClientError) -> MachineBody {
        try await send(.get, APIPath.machine(percentEncoded(agentID)))
    }

    /// Changes what the patch names; the answer is the row as stored.
    public func patchMachine(
        _ agentID: String, _ patch: PatchMachineRequest
    ) async throws(GatewayClientError) -> MachineBody {
        try await send(.patch, APIPath.machine(percentEncoded(agentID)), body: patch)
    }

    /// Removes a machine with everything it holds; its connections end.
    public func removeMachine(_ agentID: String) async throws(GatewayClientError) {
        try await send(.delete, APIPath.machine(percentEncoded(agentID)))
    }

    // MARK: Enrolment tokens and agent keys

    /// A further enrolment token; its text is in this answer only.
    public func addEnrolment(
        for agentID: String, _ request: AddEnrolmentRequest = AddEnrolmentRequest()
    ) async throws(GatewayClientError) -> EnrolmentBody {
        try await send(.post, APIPath.enrolments(of: percentEncoded(agentID)), body: request)
    }

    /// A machine's enrolment tokens, without their text.
    public func enrolments(of agentID: String) async throws(GatewayClientError) -> [EnrolmentBody] {
        try await pages(APIPath.enrolments(of: percentEncoded(agentID)))
    }

    /// Revokes an enrolment token that was not used yet.
    public func revokeEnrolment(_ id: String, of agentID: String) async throws(GatewayClientError) {
        try await send(.delete, APIPath.enrolments(of: percentEncoded(agentID)) + "/" + percentEncoded(id))
    }

    /// A machine's agent keys, without their text.
    public func agentKeys(of agentID: String) async throws(GatewayClientError) -> [AgentKeyBody] {
        try await pages(APIPath.agentKeys(of: percentEncoded(agentID)))
    }

    /// A further agent key; its text is in this answer only.
    public func addAgentKey(
        for agentID: String, _ request: AddAgentKeyRequest = AddAgentKeyRequest()
    ) async throws(GatewayClientError) -> AgentKeyBody {
        try await send(.post, APIPath.agentKeys(of: percentEncoded(agentID)), body: request)
    }

    /// Revokes an agent key; connections made with it end.
    public func revokeAgentKey(_ id: String, of agentID: String) async throws(GatewayClientError) {
        try await send(.delete, APIPath.agentKeys(of: percentEncoded(agentID)) + "/" + percentEncoded(id))
    }

    // MARK: Tunnel keys

    /// Registers a person's public key for the jump to some machines.
    public func addTunnelKey(_ request: AddTunnelKeyRequest) async throws(GatewayClientError) -> TunnelKeyBody {
        try await send(.post, APIPath.tunnelKeys, body: request)
    }

    /// Tunnel keys, newest first.
    public func tunnelKeys(limit: Int? = nil) async throws(GatewayClientError) -> [TunnelKeyBody] {
        try await pages(APIPath.tunnelKeys, limit: limit)
    }

    /// One tunnel key.
    public func tunnelKey(_ id: String) async throws(GatewayClientError) -> TunnelKeyBody {
        try await send(.get, APIPath.tunnelKey(percentEncoded(id)))
    }

    /// Revokes a tunnel key; its connections end.
    public func revokeTunnelKey(_ id: String) async throws(GatewayClientError) {
        try await send(.delete, APIPath.tunnelKey(percentEncoded(id)))
    }

    // MARK: The gateway itself

    /// Buys the first administrator's token with the set-up secret.
    public func setup(_ request: SetupRequest) async throws(GatewayClientError) -> TokenBody {
        try await send(.post, APIPath.setup, body: request)
    }

    // MARK: Signing in

    /// How the caller is signed in.
    public func authStatus() async throws(GatewayClientError) -> AuthStatusBody {
        try await send(.get, APIPath.authStatus)
    }

    /// Revokes the client's own token and ends sessions.
    public func logout(_ request: LogoutRequest) async throws(GatewayClientError) -> LogoutBody {
        try await send(.post, APIPath.logout, body: request)
    }

    /// The caller's browsers' sessions.
    public func sessions() async throws(GatewayClientError) -> [SessionBody] { try await pages(APIPath.sessions) }

    public func endSession(_ id: String) async throws(GatewayClientError) {
        try await send(.delete, "\(APIPath.sessions)/\(percentEncoded(id))")
    }

    /// Sets a password; every session of its user ends.
    public func setPassword(_ request: SetPasswordRequest) async throws(GatewayClientError) {
        try await send(.post, APIPath.password, body: request)
    }

    /// A new seed, which counts once a code from it was confirmed.
    public func offerTOTP(_ request: OfferTOTPRequest) async throws(GatewayClientError) -> TOTPOfferBody {
        try await send(.post, APIPath.totp, body: request)
    }

    public func confirmTOTP(_ request: TOTPCodeRequest) async throws(GatewayClientError) -> RecoveryCodesBody {
        try await send(.post, APIPath.totp + "/confirm", body: request)
    }

    public func replaceRecoveryCodes(_ request: TOTPCodeRequest) async throws(GatewayClientError) -> RecoveryCodesBody {
        try await send(.post, APIPath.totp + "/recovery-codes", body: request)
    }

    public func disableTOTP(_ request: TOTPCodeRequest) async throws(GatewayClientError) {
        try await send(.post, APIPath.totp + "/disable", body: request)
    }

    public func resetTOTP(_ request: ResetTOTPRequest) async throws(GatewayClientError) {
        try await send(.post, APIPath.totp + "/reset", body: request)
    }

    /// Asks for a token that a person approves in a browser.
    public func beginDevice(_ request: BeginDeviceRequest) async throws(GatewayClientError) -> DeviceBody {
        try await send(.post, APIPath.device, body: request)
    }

    /// One poll for it.
    public func deviceToken(_ request: DeviceTokenRequest) async throws(GatewayClientError) -> TokenBody {
        try await send(.post, APIPath.device + "/token", body: request)
    }

    // MARK: The gateway

    /// Who the credential stands for.
    public func whoAmI() async throws(GatewayClientError) -> WhoAmIBody { try await send(.get, APIPath.whoAmI) }

    /// How to reach the gateway's sshd and which host keys to pin.
    public func gateway() async throws(GatewayClientError) -> GatewayBody { try await send(.get, APIPath.gateway) }

    /// Live sshd connections.
    public func connections() async throws(GatewayClientError) -> [ConnectionBody] {
        try await pages(APIPath.connections)
    }

    /// Audit events, newest first; `filter` holds query parameters as the API names them.
    public func auditEvents(
        _ filter: [(String, String)] = [], limit: Int? = nil
    ) async throws(GatewayClientError) -> [AuditEventBody] {
        try await pages(APIPath.auditEvents, filter, limit: limit)
    }

    /// Brings over agents of an ssh-tunnel-gateway, all or none.
    public func importAgents(_ request: ImportAgentsRequest) async throws(GatewayClientError) -> ImportedAgentsBody {
        try await send(.post, APIPath.importSSHTunnelGateway, body: request)
    }

    // MARK: Agents

    /// Buys the machine's own agent key; the credential is the enrolment token.
    public func enrol(_ request: EnrolRequest) async throws(GatewayClientError) -> EnrolledBody {
        try await send(.post, APIPath.enrol, body: request)
    }

    /// Registers this process' tunnel key; the credential is the agent key.
    public func register(_ request: RegisterRequest) async throws(GatewayClientError) -> RegisteredBody {
        try await send(.post, APIPath.register, body: request)
    }

    /// Says that the machine lives and keeps its lease.
    public func heartbeat(_ request: HeartbeatRequest) async throws(GatewayClientError) -> HeartbeatBody {
        try await send(.post, APIPath.heartbeat, body: request)
    }

    /// All pages of a list, by the `Link` of each answer.
    func pages<Item: Decodable>(
        _ path: String, _ query: [(String, String)] = [], after: String? = nil, limit: Int? = nil
    ) async throws(GatewayClientError) -> [Item] {
        var query = query
        if let after { query.append(("after", after)) }
        if let limit { query.append(("limit", String(min(max(limit, 1), 500)))) }
        var items = [Item]()
        var answer = try await exchange(.get, path, query: query)
        // Bounded: a gateway that always names a next page must not keep us for ever.
        for _ in 0..<10_000 {
            let page: [Item] = try answer.decoded()
            items += page
            if let limit, items.count >= limit { return Array(items.prefix(limit)) }
            guard let next = answer.next, !page.isEmpty else { return items }
            answer = try await exchange(.get, next)
        }
        return items
    }
}
