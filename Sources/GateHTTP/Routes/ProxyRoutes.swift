import GateControl
import GateModel
import GateSSH
import GateWire
import HTTPTypes
import Hummingbird
import NIOCore

/// Proxies, the keys that lead through them, and what their sshd asks.
struct ProxyRoutes {
    /// The login there that nothing else is said of.
    static let standardLogin = "tidegate"

    let services: GateServices
    let root: String

    func add(to book: RouteBook) {
        addProxies(to: book)
        addChanges(to: book)
        addKeys(to: book)
    }

    private func addProxies(to book: RouteBook) {
        let services = services
        book.scoped(.keys, .get, "\(root)/proxies") { request, context in
            try request.requireKnownQuery([])
            return JSONAnswer(.ok, try await services.proxies.list(by: context.caller).map { ProxyBody($0) })
        }
        book.scoped(.proxiesWrite, .post, "\(root)/proxies") { request, context in
            let body = try await request.decode(AddProxyRequest.self)
            let added = try await services.proxies.add(
                try Field.name(body.name, "name"), try Self.wish(body), by: context.caller)
            return JSONAnswer(.created, ProxyBody(added.proxy, token: added.token))
        }
        book.scoped(.proxiesWrite, .post, "\(root)/proxies/scan") { request, context in
            let body = try await request.decode(ScanProxyRequest.self)
            let keys = try await services.proxies.hostKeys(
                of: try Self.target(body.host, body.port ?? 22, "host"), by: context.caller)
            return JSONAnswer(
                .ok, keys.map { HostKeyBody(type: $0.kind.rawValue, fingerprint: $0.fingerprint, key: $0.line) })
        }
        book.scoped(.keys, .get, "\(root)/proxies/:proxy") { request, context in
            try request.requireKnownQuery([])
            return JSONAnswer(.ok, ProxyBody(try await services.proxies.show(context.proxy(), by: context.caller)))
        }
        book.scoped(.proxiesWrite, .patch, "\(root)/proxies/:proxy") { request, context in
            let body = try await request.decode(PatchProxyRequest.self)
            let patch = ProxyPatch(
                host: body.host, port: body.port, login: try Field.optionalName(body.login, "login"),
                targetHost: body.targetHost, targetPort: body.targetPort)
            return JSONAnswer(
                .ok, ProxyBody(try await services.proxies.patch(context.proxy(), patch, by: context.caller)))
        }
        book.scoped(.proxiesWrite, .delete, "\(root)/proxies/:proxy") { request, context in
            try request.requireKnownQuery([])
            try await services.proxies.remove(context.proxy(), by: context.caller)
            return HTTPResponse.Status.noContent
        }
    }

    private func addChanges(to book: RouteBook) {
        let services = services
        book.scoped(.proxiesWrite, .post, "\(root)/proxies/:proxy/activate") { request, context in
            let body = try await request.decodeIfPresent(ActivateProxyRequest.self)
            return JSONAnswer(
                .ok,
                ProxyBody(
                    try await services.proxies.activate(
                        context.proxy(), exclusively: body?.exclusive ?? false, by: context.caller)))
        }
        book.scoped(.proxiesWrite, .post, "\(root)/proxies/:proxy/deactivate") { request, context in
            try await request.requireEmptyBody()
            return JSONAnswer(
                .ok, ProxyBody(try await services.proxies.deactivate(context.proxy(), by: context.caller)))
        }
        book.scoped(.proxiesWrite, .post, "\(root)/proxies/:proxy/host-key") { request, context in
            let body = try await request.decodeIfPresent(SetHostKeyRequest.self)
            let key = try body?.hostKey.map { try Self.hostKey($0) }
            return JSONAnswer(
                .ok,
                ProxyBody(
                    try await services.proxies.setHostKey(
                        key, of: context.proxy(), overlap: try Self.overlap(body?.overlap), by: context.caller)))
        }
        book.scoped(.proxiesWrite, .post, "\(root)/proxies/:proxy/token") { request, context in
            let body = try await request.decodeIfPresent(RotateProxyTokenRequest.self)
            let (proxy, token) = try await services.proxies.rotateToken(
                of: context.proxy(), overlap: try Self.overlap(body?.overlap), by: context.caller)
            return JSONAnswer(.created, ProxyBody(proxy, token: token))
        }
    }

    private func addKeys(to book: RouteBook) {
        let services = services
        book.scoped(.keys, .post, "\(root)/forward-keys") { request, context in
            let body = try await request.decode(AddForwardKeyRequest.self)
            let registered = try await services.forwardKeys.register(
                try Field.publicKey(body.publicKey), for: body.proxy, label: try Field.label(body.label, "label"),
                lifetime: try Field.seconds(
                    body.ttl, "ttl", ForwardKeyService.lifetimes, default: ForwardKeyService.defaultLifetime),
                by: context.caller)
            let key = registered.key
            return JSONAnswer(
                registered.isNew ? .created : .ok,
                ForwardKeyBody(
                    id: key.id.text, fingerprint: key.fingerprint, label: key.label, createdAt: key.createdAt,
                    expiresAt: key.loginUntil, proxies: registered.proxies.map { ProxyBody($0) }))
        }
        // What an sshd's AuthorizedKeysCommand asks: the answer is lines of authorized_keys and nothing else, whatever
        // happens, for sshd reads whatever it gets.
        book.scoped(.keyLookup, .get, "\(root)/forward-keys/lines") { request, context in
            try request.requireKnownQuery(["fingerprint", "proxy", "openssh"])
            guard let fingerprint = request.queryText("fingerprint"), SSHFingerprint(fingerprint) != nil else {
                throw Field.invalid("fingerprint", "SHA256: and 43 characters of base64, percent-encoded")
            }
            let version = try request.queryText("openssh").map { text in
                guard let version = OpenSSHVersion(parsing: "OpenSSH_\(text)") else {
                    throw Field.invalid("openssh", "a version such as 9.2")
                }
                return version
            }
            let lines = try await services.forwardKeys.lines(
                fingerprint: fingerprint, on: request.queryText("proxy"), for: version ?? .oldestWithUTCExpiry,
                by: context.caller)
            return KeyLinesAnswer(lines: lines)
        }
    }

    // MARK: Reading fields

    private static func wish(_ body: AddProxyRequest) throws -> ProxyWish {
        let target = try target(body.targetHost, body.targetPort, "target_host")
        guard let host = body.host else {
            guard body.port == nil, body.login == nil, body.hostKey == nil else {
                throw Field.invalid("host", "the proxy's host, where port, login or host_key are given")
            }
            return ProxyWish(place: nil, target: target, isActive: body.active ?? true)
        }
        guard let key = body.hostKey else {
            throw Field.invalid("host_key", "the host's own key; POST /api/v1/proxies/scan shows what it offers")
        }
        let login: LoginName = try Field.name(body.login ?? standardLogin, "login")
        return ProxyWish(
            place: (try self.target(host, body.port ?? 22, "host"), login, .given(try hostKey(key))), target: target,
            isActive: body.active ?? true)
    }

    private static func target(_ host: String, _ port: Int, _ field: String) throws -> SSHTarget {
        do { return try SSHTarget(host: host, port: port) } catch {
            throw Problem(.invalidField, "Field '\(field)': \(error.description)")
        }
    }

    private static func hostKey(_ text: String) throws -> SSHHostKey {
        do { return try SSHHostKey(parsing: text) } catch {
            throw Problem(.invalidField, "Field 'host_key': \(error.description)")
        }
    }

    private static func overlap(_ seconds: Int?) throws -> Duration {
        try Field.seconds(seconds, "overlap", ProxyService.overlaps, default: ProxyService.defaultOverlap)
    }
}

/// Lines of authorized_keys, one key each.
struct KeyLinesAnswer: ResponseGenerator {
    let lines: [String]

    func response(from request: Request, context: some RequestContext) throws -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/plain"],
            body: .init(byteBuffer: ByteBuffer(string: lines.map { $0 + "\n" }.joined())))
    }
}

extension RequestContext {
    /// A proxy's id or name of the path.
    fileprivate func proxy() throws -> String {
        guard let text = parameters.get("proxy"), ID<Proxy>(text) != nil || ProxyName(rawValue: text) != nil else {
            throw ControlError.proxyNotFound
        }
        return text
    }
}

extension ProxyBody {
    init(_ proxy: Proxy, token: Secret<String>? = nil) {
        self.init(
            id: proxy.id.text, name: proxy.name.rawValue, active: proxy.isActive, own: proxy.gateway != nil,
            host: proxy.host, port: proxy.port, login: proxy.login.rawValue, targetHost: proxy.targetHost,
            targetPort: proxy.targetPort, hostKeys: [proxy.hostKey] + (proxy.previousHostKey.map { [$0] } ?? []),
            hostKeyConfirmed: proxy.hostKeyConfirmedAt != nil, createdAt: proxy.createdAt,
            updatedAt: proxy.updatedAt, token: token?.reveal())
    }
}
