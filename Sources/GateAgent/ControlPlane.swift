import GateClient
import GateModel
import GateSSH
import GateWire

/// The agent's calls to its gateway, straight or through an ssh alias.
public actor ControlPlane {
    /// How a call travels.
    public enum Way: Sendable {
        case direct(GatewayClient)
        case overSSH(OverSSHControl)
    }

    private let way: Way
    private let agentKey: Secret<String>
    private let ring: KeyRing
    private var key: KeyRing.Entry?
    /// Whether the gateway may know `key` already.
    private var mayBeKnown = false
    /// What the last answered registration granted; nil while one is under way.
    private var generation: Int64?

    public init(way: Way, agentKey: Secret<String>, ring: KeyRing) {
        self.way = way
        self.agentKey = agentKey
        self.ring = ring
    }

    /// Registers this process' tunnel key, made at the first call and kept until the process ends: the gateway raises
    /// the generation for a new key, and so a new process fences the one before.
    public func register(
        hostKeys: [SSHHostKey], operatingSystem: String
    ) async throws -> (answer: RegisteredBody, key: KeyRing.Entry) {
        do {
            return try await register(try currentKey(), hostKeys, operatingSystem)
        } catch let error as GatewayClientError where error.code == .keyTaken {
            // Revoked by an administrator, or lost with its lease: the key is spent, this process is not.
            key = nil
            mayBeKnown = false
            return try await register(try currentKey(), hostKeys, operatingSystem)
        }
    }

    /// Tells the gateway that this generation lives.
    public func heartbeat(generation: Int64) async throws -> HeartbeatBody {
        let request = HeartbeatRequest(generation: generation)
        switch way {
        case .direct(let client): return try await client.heartbeat(request)
        case .overSSH(let control):
            return try await control.call(credential: agentKey, identities: identities()) { client in
                try await client.heartbeat(request)
            }
        }
    }

    private func register(
        _ key: KeyRing.Entry, _ hostKeys: [SSHHostKey], _ operatingSystem: String
    ) async throws -> (answer: RegisteredBody, key: KeyRing.Entry) {
        let request = RegisterRequest(
            publicKey: key.publicKey.line, hostKeys: hostKeys.map(\.line), operatingSystem: operatingSystem,
            agentVersion: TidegateVersion.text)
        let known = generation
        let answer: RegisteredBody
        do {
            switch way {
            case .direct(let client): answer = try await Self.register(request, known: known, with: client)
            case .overSSH(let control): answer = try await registerOverSSH(control, request, known: known)
            }
        } catch let error as GatewayClientError where error.code == nil {
            // The answer may have been lost and the generation raised by ourselves: it is no measure any more.
            generation = nil
            throw error
        }
        generation = answer.generation
        mayBeKnown = true
        ring.confirm(key)
        return (answer, key)
    }

    /// Asks first whether our generation still stands. A process that took over revoked our key and cut our tunnel;
    /// registering at once would take the place back, and the two would cut each other off for ever.
    private static func register(
        _ request: RegisterRequest, known: Int64?, with client: GatewayClient
    ) async throws -> RegisteredBody {
        if let known {
            do {
                _ = try await client.heartbeat(HeartbeatRequest(generation: known))
            } catch let error where error.code != .generationSuperseded {
                // The lease is gone, or there is no answer: the registration itself will tell.
            }
        }
        return try await client.register(request)
    }

    /// Registering a new key revokes the one before and cuts its live connections. Where the control connection was
    /// made with that key, it is cut under the very request it carries, and the answer never arrives. So a connection
    /// that dies is made once more with the new key first, and the same public key is registered again: the gateway
    /// answers that with the same generation.
    private func registerOverSSH(
        _ control: OverSSHControl, _ request: RegisterRequest, known: Int64?
    ) async throws -> RegisteredBody {
        for attempt in 0... {
            do {
                return try await control.call(credential: agentKey, identities: identities()) { client in
                    try await Self.register(request, known: attempt == 0 ? known : nil, with: client)
                }
            } catch let error as GatewayClientError {
                guard case .unreachable = error, attempt == 0 else { throw error }
                mayBeKnown = true
            }
        }
        throw CancellationError()
    }

    private func currentKey() throws(AgentError) -> KeyRing.Entry {
        if let key { return key }
        let made = try ring.makeKey()
        key = made
        return made
    }

    /// Our keys in the order in which they are likely to be let in.
    private func identities() -> [String] {
        var entries = ring.entries()
        if !mayBeKnown, let key { entries = entries.filter { $0 != key } }
        return entries.map(\.path)
    }
}

extension TunnelSupervisor.Fault {
    /// What a failed call means for the tunnel.
    public init(_ error: any Error) {
        switch error {
        case let error as GatewayClientError where error.code == .generationSuperseded:
            self.init(.superseded, "another process took this machine's place: \(error)")
        case let error as GatewayClientError where error.status == 401:
            self.init(.credentialGone, "the gateway does not know this machine's key any more: \(error)")
        case let error as GatewayClientError:
            self.init(.retryable(after: error.retryAfter), "\(error)")
        case let error as AgentError:
            self.init(.retryable(after: nil), "\(error)")
        default:
            self.init(.retryable(after: nil), "the call was not made: \(error)")
        }
    }
}
