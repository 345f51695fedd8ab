public import GateControl
public import GateHTTP
import GateModel
import GateSSH
import HTTPTypes
import Hummingbird

/// `/admin/api/v1/*` as Argus has it: proxies and everybody's keys, for administrators.
public struct ArgusAdminRoutes: Sendable {
    private static let root = "/admin/api/v1"

    private let proxies: ProxyService
    private let keys: TunnelKeyService

    public init(proxies: ProxyService, keys: TunnelKeyService) {
        self.proxies = proxies
        self.keys = keys
    }

    public func add(to book: RouteBook) {
        addReads(to: book)
        addChanges(to: book)
        addKeys(to: book)
    }

    private func addReads(to book: RouteBook) {
        let proxies = proxies
        book.dialect(
            .proxiesWrite, .get, "\(Self.root)/proxy-tunnel/config", refusal: ArgusAnswer.refusal
        ) { request, context in
            let active = try await proxies.reachable(by: context.caller)
            guard let text = request.argusQuery("tunnel_id") else {
                return ArgusAnswer.ok(active.first.map { ArgusConfig($0) })
            }
            guard let id = ID<Proxy>(text) else { throw ArgusFault.malformedTunnel }
            return ArgusAnswer.ok(active.first { $0.id == id }.map { ArgusConfig($0) })
        }
        book.dialect(
            .proxiesWrite, .get, "\(Self.root)/proxy-tunnel/configs", refusal: ArgusAnswer.refusal
        ) { request, context in
            let activeOnly: Bool
            switch request.argusQuery("active_only")?.lowercased() {
            case nil, "false": activeOnly = false
            case "true": activeOnly = true
            default: throw ArgusFault("ValueError", "active_only must be true or false")
            }
            let all = try await proxies.list(by: context.caller)
            return ArgusAnswer.ok(all.filter { $0.isActive || !activeOnly }.map { ArgusConfig($0) })
        }
    }

    private func addChanges(to book: RouteBook) {
        let proxies = proxies
        book.dialect(
            .proxiesWrite, .post, "\(Self.root)/proxy-tunnel/config", refusal: ArgusAnswer.refusal
        ) { request, context in
            let wish = try await request.argusBody(ArgusNewConfig.self).checked()
            let added = try await proxies.add(
                try await name(for: wish.host, by: context.caller),
                ProxyWish(
                    place: (wish.host, wish.login, .scanned), target: wish.target, isActive: wish.isActive),
                by: context.caller)
            return ArgusAnswer.ok(ArgusConfig(added.proxy, token: added.token))
        }
        book.dialect(
            .proxiesWrite, .post, "\(Self.root)/proxy-tunnel/config/:id/active", refusal: ArgusAnswer.refusal
        ) { request, context in
            let body = try await request.argusBody(ArgusActive.self)
            let id = try context.argusID()
            let proxy =
                body.is_active
                ? try await proxies.activate(id, exclusively: false, by: context.caller)
                : try await proxies.deactivate(id, by: context.caller)
            return ArgusAnswer.ok(ArgusConfig(proxy))
        }
        book.dialect(
            .proxiesWrite, .delete, "\(Self.root)/proxy-tunnel/config/:id", refusal: ArgusAnswer.refusal
        ) { request, context in
            // Its service user is disabled with it whether that was asked for or not: it has no other use.
            let id = try context.argusID()
            try await proxies.remove(id, by: context.caller)
            return ArgusAnswer.ok(ArgusDeleted(deleted: true, user_deleted: true))
        }
    }

    /// The original's configurations have no names: the host's, and a number where that is taken.
    @Sendable private func name(for host: SSHTarget, by caller: Caller) async throws -> ProxyName {
        let plain = host.host.map { $0.isLetter || $0.isNumber || $0 == "." ? $0 : "-" }
        let stem = String(plain.drop { !$0.isLetter && !$0.isNumber }.prefix(50))
        let taken = Set(try await proxies.list(by: caller).map(\.name))
        for number in 1...ProxyService.limit + 1 {
            guard let name = ProxyName(rawValue: number == 1 ? stem : "\(stem)-\(number)") else { break }
            if !taken.contains(name) { return name }
        }
        throw ArgusFault("TunnelServiceException", "host gives no name for a proxy that is free")
    }

    private func addKeys(to book: RouteBook) {
        let keys = keys
        book.dialect(
            [.accessRead, .keys], .get, "\(Self.root)/ssh/keys", refusal: ArgusAnswer.refusal
        ) { _, context in
            ArgusAnswer.ok(try await keys.allForwardKeys(by: context.caller).map { ArgusKey($0) })
        }
        book.dialect(
            [.accessWrite, .keys], .delete, "\(Self.root)/ssh/keys/:id", refusal: ArgusAnswer.refusal
        ) { _, context in
            // What isn't there is deleted.
            if let id = context.parameters.get("id").flatMap({ ID<TunnelKey>($0) }) {
                do { try await keys.revoke(id, by: context.caller) } catch ControlError.tunnelKeyNotFound {}
            }
            return ArgusAnswer.ok(ArgusDeleted(deleted: true, user_deleted: nil))
        }
    }
}

extension PrincipalContext {
    fileprivate func argusID() throws -> String {
        guard let text = parameters.get("id"), let id = ID<Proxy>(text) else { throw ArgusFault.malformedTunnel }
        return id.text
    }
}

/// What `POST /proxy-tunnel/config` is sent; the names are the wire's own.
private struct ArgusNewConfig: Decodable {
    let host: String?
    let port: ArgusNumber?
    let proxy_user: String?
    let target_host: String?
    let target_port: ArgusNumber?
    let is_active: Bool?

    func checked() throws -> (host: SSHTarget, login: LoginName, target: SSHTarget, isActive: Bool) {
        let missing = [
            ("host", host == nil), ("port", port == nil), ("proxy_user", proxy_user == nil),
            ("target_host", target_host == nil), ("target_port", target_port == nil),
        ].filter(\.1).map(\.0)
        guard missing.isEmpty, let host, let port, let proxy_user, let target_host, let target_port else {
            throw ArgusFault(
                "TunnelServiceException", "Missing required fields: \(missing.joined(separator: ", "))")
        }
        guard let login = LoginName(rawValue: proxy_user) else {
            throw ArgusFault("ValueError", "proxy_user: \(LoginName.rule)")
        }
        return (
            try Self.place(host, port, "host"), login, try Self.place(target_host, target_port, "target_host"),
            is_active ?? true
        )
    }

    private static func place(_ host: String, _ port: ArgusNumber, _ field: String) throws -> SSHTarget {
        do { return try SSHTarget(host: host, port: port.value ?? 0) } catch {
            throw ArgusFault("ValueError", "\(field): \(error.description)")
        }
    }
}

private struct ArgusActive: Decodable {
    let is_active: Bool
}

private struct ArgusDeleted: Encodable {
    let deleted: Bool
    let user_deleted: Bool?
}

/// A proxy as the original shows it; `api_token` is there once, when it was made.
private struct ArgusConfig: Encodable {
    let id: String
    let host: String
    let port: Int
    let proxy_user: String
    let target_host: String
    let target_port: Int
    let host_key_fingerprint: String
    let service_user_id: String?
    let is_active: Bool
    let host_key_confirmed: Bool
    let api_token: String?

    init(_ proxy: Proxy, token: Secret<String>? = nil) {
        id = proxy.id.text
        host = proxy.host
        port = proxy.port
        proxy_user = proxy.login.rawValue
        target_host = proxy.targetHost
        target_port = proxy.targetPort
        host_key_fingerprint = "\(proxy.host) \(proxy.hostKey)"
        service_user_id = proxy.serviceUser?.text
        is_active = proxy.isActive
        host_key_confirmed = proxy.hostKeyConfirmedAt != nil
        api_token = token?.reveal()
    }
}
