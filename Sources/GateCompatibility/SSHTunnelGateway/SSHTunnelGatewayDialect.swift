import FoundationEssentials
public import GateControl
public import GateHTTP
import GateModel
import GateSSH
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// The header an API key comes in.
public struct APIKeyHeader: Sendable {
    let name: HTTPField.Name

    /// Nil for what isn't a header's name, or means something else already.
    public init?(_ text: String) {
        guard let name = HTTPField.Name(text),
            ![.authorization, .contentType, .contentLength, .connection, .cookie, .transferEncoding].contains(name)
        else { return nil }
        self.name = name
    }
}

/// `POST /` as ssh-tunnel-gateway 0.4.3 has it, so that its agents work unchanged.
///
/// The one place where the gateway makes a private key: these agents expect to be sent theirs.
public struct SSHTunnelGatewayDialect: Sendable {
    static let bodyLimit = 64 << 10

    private let service: SharedKeyService
    private let keys: SharedKeyRing
    private let header: HTTPField.Name
    private let coordinates: Coordinates
    private let refusals: RefusalLog
    private let registered: @Sendable (_ agentID: String, _ port: Int, _ source: String) -> Void
    /// Slows down guessing: after thirty wrong keys a source may try one more every two seconds, right or wrong, since its
    /// operator chose the key. An agent with a stale one tries once in five minutes, so even many behind one address stay
    /// below it.
    private let pacing = Pacing<String>(burst: 30, interval: .seconds(2), limit: 4_096)

    /// Where agents and people find the gateway's sshd.
    public struct Coordinates: Sendable {
        public let sshUser: String
        public let sshHost: String
        public let sshPort: Int

        public init(sshUser: String, sshHost: String, sshPort: Int) {
            self.sshUser = sshUser
            self.sshHost = sshHost
            self.sshPort = sshPort
        }

        /// The agent puts this text behind `ssh -J user@` and has no place for a port.
        var jumpHost: String {
            guard sshPort != 22 else { return sshHost }
            return sshHost.contains(":") ? "[\(sshHost)]:\(sshPort)" : "\(sshHost):\(sshPort)"
        }
    }

    public init(
        service: SharedKeyService, keys: SharedKeyRing, header: APIKeyHeader, coordinates: Coordinates,
        refusals: RefusalLog, registered: @escaping @Sendable (_ agentID: String, _ port: Int, _ source: String) -> Void
    ) {
        self.service = service
        self.keys = keys
        self.header = header.name
        self.coordinates = coordinates
        self.refusals = refusals
        self.registered = registered
    }

    /// Adds the one route there is.
    public func add(to book: RouteBook) {
        book.foreign(.post, "/", access: .sharedKey) { request, context in
            guard request.method == .post else {
                return DialectAnswer.error(405, "Method Not Allowed", headers: [.allow: "POST"])
            }
            do {
                return try await answer(request, source: context.source)
            } catch {
                return failure(error, context: context)
            }
        }
    }

    private func answer(_ request: Request, source: String) async throws -> Response {
        // First of all, and on the headers alone: a stranger's body is neither read nor parsed.
        let values = request.headers[values: header]
        guard let key = values.first, !key.isEmpty else {
            return DialectAnswer.error(401, "Missing API key", closes: true)
        }
        let group = sourceGroup(source)
        if let wait = pacing.wait(group) {
            return DialectAnswer.error(
                429, "Too many wrong API keys", headers: [.retryAfter: String(max(1, wait.components.seconds))],
                closes: true)
        }
        guard values.count == 1, let entry = keys.entry(for: key) else {
            _ = pacing.take(group)
            refusals.note(.init(kind: "shared-key", reason: "unknown", source: source, credential: ""))
            return DialectAnswer.error(403, "Invalid API key", closes: true)
        }
        let body: [UInt8]
        do {
            if let length = request.headers[.contentLength].flatMap(Int.init), length > Self.bodyLimit {
                throw NIOTooManyBytesError(maxBytes: Self.bodyLimit)
            }
            body = Array(try await request.body.collect(upTo: Self.bodyLimit).readableBytesView)
        } catch is NIOTooManyBytesError {
            return DialectAnswer.error(413, "The body is larger than 64 KiB", closes: true)
        }
        guard isJSON(request.headers[.contentType]) else {
            return DialectAnswer.invalid("dict_type", at: ["body"], "Input should be a valid dictionary")
        }
        let asked: DialectRequest
        do { asked = try DialectRequest(json: body) } catch { return error.response }
        switch asked {
        case .heartbeat(let agentID):
            try await service.heartbeat(agentID, by: entry.holder, source: source)
            return DialectAnswer.ok(Array(#"{"status":"ok"}"#.utf8))
        case .register(let agentID):
            let pair = EphemeralKey.generate()
            let (agentID, lease) = try await service.register(
                agentID, publicKey: pair.publicKey, by: entry.holder, source: source)
            registered(agentID.rawValue, lease.port, source)
            return DialectAnswer.ok(
                try encoded(agentID: agentID, port: lease.port, address: lease.address, pair: pair, entry: entry))
        }
    }

    private func isJSON(_ contentType: String?) -> Bool {
        let media = (contentType ?? "").split(separator: ";", maxSplits: 1).first.map { $0.filter { $0 != " " } }
        return media?.lowercased() == "application/json"
    }

    private func encoded(
        agentID: AgentID, port: Int, address: String, pair: EphemeralKey, entry: SharedKeyRing.Entry
    ) throws -> [UInt8] {
        let (nonce, ciphertext) = try entry.seal(pair.privateKeyFile)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        return Array(
            try encoder.encode(
                RegisteredAgent(
                    agent_id: agentID.rawValue, port_b: port, ssh_user: coordinates.sshUser,
                    ssh_jump_user: coordinates.sshUser, ssh_jump_host: coordinates.jumpHost,
                    reverse_bind_host: address, public_key: pair.publicKey.line,
                    encrypted_private_key: .init(
                        kdf: "scrypt", salt_b64: Data(keys.salt).base64EncodedString(),
                        nonce_b64: Data(nonce).base64EncodedString(),
                        ciphertext_b64: Data(ciphertext).base64EncodedString(), n: SharedKeyRing.rounds,
                        r: SharedKeyRing.blockSize, p: SharedKeyRing.parallelism))))
    }

    /// Only an unknown agent may be answered 404: the agent takes that for the order to register again.
    private func failure(_ error: any Error, context: GateContext) -> Response {
        if error as? ControlError == .machineNotFound { return DialectAnswer.error(404, "Unknown agent") }
        if error as? ControlError == .forbidden {
            return DialectAnswer.error(403, "This agent_id belongs to another API key")
        }
        guard let problem = Problem(mapping: error), problem.status != 404 else {
            context.logger.error(
                "request failed",
                metadata: ["error": "\(String(reflecting: error))", "gate.request.id": "\(context.requestID)"])
            return DialectAnswer.error(500, "Internal Server Error")
        }
        var headers: HTTPFields = [:]
        if let wait = problem.retryAfter { headers[.retryAfter] = String(max(1, wait.components.seconds)) }
        return DialectAnswer.error(problem.status, problem.detail, headers: headers)
    }
}

/// The names are the wire's own.
private struct RegisteredAgent: Encodable {
    struct EncryptedKey: Encodable {
        let kdf: String
        let salt_b64: String
        let nonce_b64: String
        let ciphertext_b64: String
        let n: Int
        let r: Int
        let p: Int
    }

    let agent_id: String
    let port_b: Int
    let ssh_user: String
    let ssh_jump_user: String
    let ssh_jump_host: String
    let reverse_bind_host: String
    let public_key: String
    let encrypted_private_key: EncryptedKey
}
