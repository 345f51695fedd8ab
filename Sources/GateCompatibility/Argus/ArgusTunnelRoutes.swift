public import GateControl
public import GateHTTP
import GateModel
import GateSSH
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// `/api/v1/client/ssh/*` as Argus has it, so that its clients and its proxy hosts work unchanged.
public struct ArgusTunnelRoutes: Sendable {
    private static let root = "/api/v1/client/ssh"

    private let keys: ForwardKeyService
    private let proxies: ProxyService
    private let owned: TunnelKeyService

    public init(keys: ForwardKeyService, proxies: ProxyService, owned: TunnelKeyService) {
        self.keys = keys
        self.proxies = proxies
        self.owned = owned
    }

    public func add(to book: RouteBook) {
        let (keys, proxies, owned) = (keys, proxies, owned)
        book.dialect(.keys, .post, "\(Self.root)/tunnel", refusal: ArgusAnswer.refusal) { request, context in
            let body = try await request.argusBody(ArgusRegistration.self)
            let wish = try body.checked()
            do {
                let registered = try await keys.register(
                    wish.key, for: wish.proxy?.text, label: wish.label, lifetime: wish.lifetime, by: context.caller)
                return try ArgusAnswer.ok(ArgusTunnel(registered.proxies, key: registered.key))
            } catch ControlError.notPossible { throw ArgusFault.noProxy } catch ControlError.proxyNotFound {
                throw ArgusFault("TunnelServiceException", "There is no proxy tunnel with this tunnel_id")
            }
        }
        book.dialect(.keys, .get, "\(Self.root)/tunnel", refusal: ArgusAnswer.refusal) { request, context in
            let active = try await proxies.reachable(
                preferring: request.argusQuery("proxy_host"), by: context.caller)
            guard !active.isEmpty else { throw ArgusFault.noProxy }
            return try ArgusAnswer.ok(ArgusTunnel(active))
        }
        book.dialect(.keys, .get, "\(Self.root)/tunnel/keys", refusal: ArgusAnswer.refusal) { request, context in
            let only = try request.argusProxy()
            let rows = try await owned.ownForwardKeys(by: context.caller).filter { only == nil || $0.proxy == only }
            return ArgusAnswer.ok(rows.map(ArgusKey.init))
        }
        book.dialect(.keyLookup, .get, "\(Self.root)/keys", refusal: ArgusLines.refusal) { request, context in
            let only: ID<Proxy>?
            do { only = try request.argusProxy() } catch { throw ArgusLines.Malformed() }
            // Its sshd's version isn't told here. Whoever's is too old for the line's end uses our own route, which asks.
            let version = OpenSSHVersion.oldestWithUTCExpiry
            guard let fingerprint = request.argusQuery("fingerprint") else {
                return ArgusLines.answer(
                    try await keys.allLines(on: only?.text, for: version, by: context.caller))
            }
            guard SSHFingerprint(fingerprint) != nil else { throw ArgusLines.Malformed() }
            return ArgusLines.answer(
                try await keys.lines(fingerprint: fingerprint, on: only?.text, for: version, by: context.caller))
        }
    }
}

extension Request {
    /// `tunnel_id`; a fault where it isn't a UUID.
    fileprivate func argusProxy() throws -> ID<Proxy>? {
        guard let text = argusQuery("tunnel_id") else { return nil }
        guard let id = ID<Proxy>(text) else { throw ArgusFault.malformedTunnel }
        return id
    }
}

extension ArgusFault {
    static let noProxy = ArgusFault(
        "TunnelServiceException", "No active proxy tunnel configuration found. Ask an administrator to add one.")
    static let malformedTunnel = ArgusFault("ValueError", "tunnel_id must be a UUID")
}

/// The answers of the keys route: lines, or nothing at all. sshd reads whatever it gets as keys, so no fault has a text.
enum ArgusLines {
    struct Malformed: Error {}

    static func answer(_ lines: [String]) -> Response { text(.ok, lines.joined(separator: "\n")) }

    static func refusal(_ error: any Error, _ context: GateContext) -> Response {
        if error is Malformed { return text(.badRequest, "") }
        guard let problem = Problem(mapping: error) else {
            context.logger.error(
                "request failed",
                metadata: ["error": "\(String(reflecting: error))", "gate.request.id": "\(context.requestID)"])
            return text(.internalServerError, "")
        }
        return text(.init(code: problem.status == 401 ? 403 : problem.status), "")
    }

    private static func text(_ status: HTTPResponse.Status, _ text: String) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain"], body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}

/// What `POST /tunnel` is sent.
private struct ArgusRegistration: Decodable {
    let public_key: String?
    let ttl_seconds: ArgusNumber?
    let tunnel_id: String?

    /// In the original's order, so that one fault is told before another as there.
    func checked() throws -> (key: SSHPublicKey, proxy: ID<Proxy>?, label: Label, lifetime: Duration) {
        guard let text = public_key, !text.isEmpty else {
            throw ArgusFault("TunnelServiceException", "public_key is required")
        }
        let key: SSHPublicKey
        do { key = try SSHPublicKey(parsing: text) } catch {
            throw ArgusFault("TunnelServiceException", "Invalid SSH public key: \(error.description)")
        }
        var proxy: ID<Proxy>?
        if let tunnel_id, !tunnel_id.isEmpty {
            guard let id = ID<Proxy>(tunnel_id) else { throw ArgusFault.malformedTunnel }
            proxy = id
        }
        let seconds = ttl_seconds.map(\.value) ?? ForwardKeyService.defaultLifetime
        guard let seconds, ForwardKeyService.lifetimes.contains(seconds), let label = Label(rawValue: "argus") else {
            let range = ForwardKeyService.lifetimes
            throw ArgusFault(
                "TunnelServiceException",
                "ttl_seconds must be between \(range.lowerBound) and \(range.upperBound) seconds")
        }
        return (key, proxy, label, .seconds(seconds))
    }
}

/// A whole number, also as text; nil for anything else, which is the caller's fault and not a body that can't be read.
struct ArgusNumber: Decodable {
    let value: Int?

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Int.self) {
            value = number
        } else {
            value = (try? container.decode(String.self)).flatMap { Int($0) }
        }
    }
}

/// Where to go; the names are the wire's own.
private struct ArgusTunnel: Encodable {
    struct Way: Encodable {
        let tunnel_id: String
        let proxy_host: String
        let proxy_port: Int
        let proxy_user: String
        let target_host: String
        let target_port: Int
        /// A whole line of known_hosts, in spite of its name.
        let host_key_fingerprint: String

        init(_ proxy: Proxy) {
            tunnel_id = proxy.id.text
            proxy_host = proxy.host
            proxy_port = proxy.port
            proxy_user = proxy.login.rawValue
            target_host = proxy.targetHost
            target_port = proxy.targetPort
            host_key_fingerprint = "\(proxy.host) \(proxy.hostKey)"
        }
    }

    let key_id: String?
    let tunnel_id: String?
    let proxy_host: String
    let proxy_port: Int
    let proxy_user: String
    let target_host: String
    let target_port: Int
    let host_key_fingerprint: String
    let expires_at: ArgusTime?
    let proxies: [Way]

    /// Throws `noProxy` for none at all.
    init(_ proxies: [Proxy], key: TunnelKey? = nil) throws {
        guard let first = proxies.first.map(Way.init) else { throw ArgusFault.noProxy }
        key_id = key?.id.text
        tunnel_id = key == nil ? nil : first.tunnel_id
        proxy_host = first.proxy_host
        proxy_port = first.proxy_port
        proxy_user = first.proxy_user
        target_host = first.target_host
        target_port = first.target_port
        host_key_fingerprint = first.host_key_fingerprint
        expires_at = key.map { ArgusTime($0.loginUntil) }
        self.proxies = proxies.map(Way.init)
    }
}

/// A registered key as lists show it.
struct ArgusKey: Encodable {
    let key_id: String
    let user_id: String?
    let tunnel_id: String?
    let public_key: String
    let fingerprint: String
    let created_at: ArgusTime
    let expires_at: ArgusTime

    init(_ key: TunnelKey) {
        key_id = key.id.text
        user_id = key.user?.text
        tunnel_id = key.proxy?.text
        public_key = key.publicKey
        fingerprint = key.fingerprint
        created_at = ArgusTime(key.createdAt)
        expires_at = ArgusTime(key.loginUntil)
    }
}
