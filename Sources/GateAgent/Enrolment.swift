import GateClient
import GateModel
import GateSSH
import GateWire

/// Buys the machine's own key with an enrolment token.
public struct Enrolment: Sendable {
    private let settings: AgentSettings
    private let way: ControlPlane.Way
    private let token: Secret<String>
    private let url: GatewayURL
    private let sleep: @Sendable (Duration) async throws -> Void

    public init(
        settings: AgentSettings, way: ControlPlane.Way, token: Secret<String>, url: GatewayURL,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.settings = settings
        self.way = way
        self.token = token
        self.url = url
        self.sleep = sleep
    }

    /// Enrols and writes `agent.key` and `agent.json`. Call it with the state directory's lock held.
    public func run() async throws -> AgentFile {
        let ring = KeyRing(folder: settings.state.keyFolder)
        // A key that is there belongs to an enrolment whose answer may have been lost: the same token with the same
        // key is answered again for ten minutes, and with another key never.
        let key = try ring.entries().first ?? ring.makeKey()
        let answer = try await ask(
            EnrolRequest(publicKey: key.publicKey.line, agentID: settings.agentID?.rawValue), identities: ring)
        if let wanted = settings.agentID, wanted.rawValue != answer.agentID {
            throw AgentError.refused("the gateway enrolled \(answer.agentID), not \(wanted)")
        }
        let agent = AgentFile(
            url: url.description, agentID: answer.agentID, machineID: answer.machineID, name: answer.name,
            overSSH: settings.overSSH?.name, sshConfig: settings.sshConfig, caFile: settings.caFile,
            target: settings.target.text == "127.0.0.1:22" ? nil : settings.target.text, gateway: answer.gateway)
        // The key first: `agent.json` without it would look enrolled and could not speak.
        try settings.state.store(agentKey: Secret(answer.agentKey))
        try settings.state.store(agent)
        return agent
    }

    private func ask(_ request: EnrolRequest, identities ring: KeyRing) async throws -> EnrolledBody {
        for attempt in 0..<3 {
            do {
                switch way {
                case .direct(let client): return try await client.enrol(request)
                case .overSSH(let control):
                    return try await control.call(
                        credential: token, identities: settings.stored == nil ? [] : ring.entries().map(\.path)
                    ) { client in try await client.enrol(request) }
                }
            } catch let error as GatewayClientError {
                guard attempt < 2, Self.isWorthAnotherTry(error) else { throw error }
                try await sleep(.seconds(error.retryAfter.map { min($0, 30) } ?? 1 << attempt))
            }
        }
        throw AgentError.unreachable("the gateway did not answer")
    }

    private static func isWorthAnotherTry(_ error: GatewayClientError) -> Bool {
        if case .unreachable = error { return true }
        return error.status == 503
    }
}
