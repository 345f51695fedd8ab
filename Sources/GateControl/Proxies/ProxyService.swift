public import GateModel
public import GateSSH
import GateStore

/// Proxies: the hosts whose sshd lets forward keys reach a target, this gateway's own among them.
public struct ProxyService: Sendable {
    public static let limit = 100
    /// How long a host key is good beside the one that replaced it, and a service token beside the next.
    public static let overlaps: ClosedRange<Int> = 0...2_592_000
    public static let defaultOverlap = 86_400
    /// What a proxy's service token lasts: its host renews it.
    static let tokenLifetime = Duration.seconds(365 * 86_400)

    /// Asks a host for its keys (ssh-keyscan(1)); throws `notPossible` with the reason.
    public typealias Scan = @Sendable (SSHTarget) async throws -> [SSHHostKey]

    /// A new proxy and the token its sshd looks keys up with, which is told once; the gateway's own has none.
    public struct Added: Sendable {
        public let proxy: Proxy
        public let token: Secret<String>?
    }

    private let dependencies: ControlDependencies
    private let policy: ProxyPolicy
    private let own: OwnSSHD?
    private let scan: Scan

    /// `own`: nil where the gateway runs no sshd.
    public init(_ dependencies: ControlDependencies, policy: ProxyPolicy, own: OwnSSHD?, scan: @escaping Scan) {
        self.dependencies = dependencies
        self.policy = policy
        self.own = own
        self.scan = scan
    }

    // MARK: Reading

    /// By name. Whoever has keys may see where they lead.
    public func list(by caller: Caller) async throws -> [Proxy] {
        try caller.require(.keys)
        let proxies = try await dependencies.database.read { tx in try tx.proxies(in: caller.tenant) }
        return proxies.map(seen)
    }

    /// By id or name.
    public func show(_ name: String, by caller: Caller) async throws -> Proxy {
        try caller.require(.keys)
        return seen(try await dependencies.database.read { tx in try tx.requireProxy(name, in: caller.tenant) })
    }

    /// The active ones, in the caller's own order: the first is the one to try first. `host` puts those there before it.
    public func reachable(preferring host: String? = nil, by caller: Caller) async throws -> [Proxy] {
        try caller.require(.keys)
        let active = try await dependencies.database.read { tx in try tx.activeProxies(in: caller.tenant) }
        let sorted = ProxyOrder.sorted(active.map(seen), for: caller.principal.user?.id)
        return sorted.filter { $0.host == host } + sorted.filter { $0.host != host }
    }

    /// What an own sshd is called now: its settings may have changed since the row was made.
    func seen(_ proxy: Proxy) -> Proxy {
        guard proxy.gateway == dependencies.identity.gateway, let own else { return proxy }
        var proxy = proxy
        (proxy.host, proxy.port, proxy.hostKey) = (own.host, own.port, own.hostKey)
        if let login = LoginName(rawValue: own.login) { proxy.login = login }
        return proxy
    }

    /// The keys a host offers now, the best first.
    public func hostKeys(of host: SSHTarget, by caller: Caller) async throws -> [SSHHostKey] {
        try caller.require(.proxiesWrite)
        try policy.require(host: host)
        return try await scanned(host)
    }

    // MARK: Changing

    /// Adds a proxy with a service user of its own. Throws `nameTaken`, `limitReached`, and `invalid` for a host or target
    /// that may not be one.
    public func add(_ name: ProxyName, _ wish: ProxyWish, by caller: Caller) async throws -> Added {
        try caller.require(.proxiesWrite)
        var proxy = try await draft(name, wish, by: caller)
        let minted = wish.place == nil ? nil : MintedCredential(.serviceToken)
        let now = proxy.createdAt
        let added = try await dependencies.database.write { [dependencies, proxy] tx in
            var proxy = proxy
            let there = try tx.proxies(in: caller.tenant)
            guard !there.contains(where: { $0.name == name }) else { throw ControlError.nameTaken(field: "name") }
            guard there.count < Self.limit else {
                throw ControlError.limitReached("A tenant may have \(Self.limit) proxies.")
            }
            if proxy.gateway != nil, there.contains(where: { $0.gateway == proxy.gateway && $0.hasTarget(of: proxy) }) {
                throw ControlError.notPossible("This gateway is a proxy to that target already.")
            }
            if let minted {
                let user = try dependencies.addServiceUser(for: proxy, by: caller, at: now, in: tx)
                proxy.serviceUser = user.id
                try dependencies.addServiceToken(minted, of: user, by: caller, at: now, in: tx)
            }
            try tx.insertProxy(proxy)
            try tx.appendAudit(
                dependencies.event(
                    .proxyAdded, by: caller, subject: "proxy:\(proxy.id)", at: now,
                    details: [
                        ("name", proxy.name.rawValue), ("host", "\(proxy.host):\(proxy.port)"),
                        ("target", "\(proxy.targetHost):\(proxy.targetPort)"), ("active", String(proxy.isActive)),
                        ("host_key_confirmed", String(proxy.hostKeyConfirmedAt != nil)),
                    ]))
            return proxy
        }
        proxy = added
        await dependencies.proxiesChanged()
        return Added(proxy: seen(proxy), token: minted?.text)
    }

    private func draft(_ name: ProxyName, _ wish: ProxyWish, by caller: Caller) async throws -> Proxy {
        let now = dependencies.now()
        guard let place = wish.place else {
            guard let own, let login = LoginName(rawValue: own.login) else {
                throw ControlError.notPossible("This gateway runs no sshd that could be a proxy.")
            }
            try policy.require(host: nil, target: wish.target)
            return Proxy(
                id: .random(), tenant: caller.tenant, name: name, gateway: dependencies.identity.gateway,
                host: own.host, port: own.port, login: login, targetHost: wish.target.host,
                targetPort: wish.target.port, hostKey: own.hostKey, hostKeyConfirmedAt: now, createdAt: now,
                updatedAt: now, activatedAt: wish.isActive ? now : nil)
        }
        try policy.require(host: place.host, target: wish.target)
        let (key, isConfirmed) =
            switch place.hostKey {
            case .given(let key): (key, true)
            case .scanned: (try await best(of: place.host), false)
            }
        try Self.require(key)
        return Proxy(
            id: .random(), tenant: caller.tenant, name: name, host: place.host.host, port: place.host.port,
            login: place.login, targetHost: wish.target.host, targetPort: wish.target.port, hostKey: key.line,
            hostKeyConfirmedAt: isConfirmed ? now : nil, createdAt: now, updatedAt: now,
            activatedAt: wish.isActive ? now : nil)
    }

    /// Changes where it is or leads. Keys' lines are written anew, and connections to the old target end.
    public func patch(_ name: String, _ patch: ProxyPatch, by caller: Caller) async throws -> Proxy {
        try await change(name, by: caller, action: .proxyChanged) { [policy] proxy, _ in
            guard proxy.gateway == nil || (patch.host == nil && patch.port == nil && patch.login == nil) else {
                throw ControlError.notPossible("A gateway's own sshd has its address from the gateway's settings.")
            }
            let host = try Self.target(patch.host ?? proxy.host, patch.port ?? proxy.port, field: "host")
            let target = try Self.target(
                patch.targetHost ?? proxy.targetHost, patch.targetPort ?? proxy.targetPort, field: "target_host")
            try policy.require(host: proxy.gateway == nil ? host : nil, target: target)
            // Another host's key is another key: it has to be given or scanned anew.
            if host.host != proxy.host || host.port != proxy.port { proxy.hostKeyConfirmedAt = nil }
            (proxy.host, proxy.port) = (host.host, host.port)
            (proxy.targetHost, proxy.targetPort) = (target.host, target.port)
            proxy.login = patch.login ?? proxy.login
            return [("host", host.text), ("login", proxy.login.rawValue), ("target", target.text)]
        }
    }

    /// Puts a new host key in the place of the old one, which stays good for `overlap`. Nil: what the host offers now,
    /// unconfirmed unless it is the key that was confirmed.
    public func setHostKey(_ key: SSHHostKey?, of name: String, overlap: Duration, by caller: Caller) async throws
        -> Proxy
    {
        let proxy = try await show(name, by: caller)
        try caller.require(.proxiesWrite)
        guard proxy.gateway == nil else {
            throw ControlError.notPossible("A gateway's own sshd has its key from the gateway itself.")
        }
        let host = try Self.target(proxy.host, proxy.port, field: "host")
        let found = if let key { key } else { try await best(of: host) }
        try Self.require(found)
        return try await change(name, by: caller, action: .proxyHostKeyChanged) { proxy, now in
            let isOld = proxy.hostKey == found.line
            if !isOld {
                (proxy.previousHostKey, proxy.previousHostKeyUntil) = (proxy.hostKey, now + overlap)
                proxy.hostKey = found.line
            }
            if key != nil {
                proxy.hostKeyConfirmedAt = now
            } else if !isOld {
                proxy.hostKeyConfirmedAt = nil
            }
            return [("fingerprint", found.fingerprint), ("confirmed", String(proxy.hostKeyConfirmedAt != nil))]
        }
    }

    /// `exclusively`: the others are switched off in the same statement.
    public func activate(_ name: String, exclusively: Bool, by caller: Caller) async throws -> Proxy {
        try await change(name, by: caller, action: .proxyActivated, stores: false) { proxy, now in
            proxy.activatedAt = proxy.activatedAt ?? now
            return [("exclusive", String(exclusively))]
        } also: { tx, proxy, now in
            try tx.activateProxy(proxy, exclusively: exclusively, at: now)
        }
    }

    public func deactivate(_ name: String, by caller: Caller) async throws -> Proxy {
        try await change(name, by: caller, action: .proxyDeactivated, stores: false) { proxy, _ in
            proxy.activatedAt = nil
            return []
        } also: { tx, proxy, now in
            try tx.deactivateProxy(proxy.id, at: now)
        }
    }

    /// A new token for its sshd; those before it are good for `overlap` longer, so that a host can be given the new one
    /// without a moment in which it has none.
    public func rotateToken(
        of name: String, overlap: Duration, by caller: Caller
    ) async throws -> (proxy: Proxy, token: Secret<String>) {
        try caller.require(.proxiesWrite)
        let (now, minted) = (dependencies.now(), MintedCredential(.serviceToken))
        let (proxy, owner) = try await dependencies.database.write { [dependencies] tx in
            let proxy = try tx.requireProxy(name, in: caller.tenant)
            guard let id = proxy.serviceUser, let owner = try tx.user(id) else {
                throw ControlError.notPossible("A gateway's own sshd needs no token.")
            }
            try tx.endTokens(of: owner.id, by: now + overlap, at: now)
            try dependencies.addServiceToken(minted, of: owner, by: caller, at: now, in: tx)
            return (proxy, owner)
        }
        dependencies.credentials.drop { $0.user?.id == owner.id }
        return (seen(proxy), minted.text)
    }

    /// Removes it with the keys that were good on it alone, and disables its service user. Idempotent for one that is named
    /// by its id.
    public func remove(_ name: String, by caller: Caller) async throws {
        try caller.require(.proxiesWrite)
        let now = dependencies.now()
        let servedBy: ID<User>?
        do {
            servedBy = try await dependencies.database.write { [dependencies] tx in
                if let id = ID<Proxy>(name), try tx.hasRemovedProxy(id, in: caller.tenant) { return nil }
                let proxy = try tx.requireProxy(name, in: caller.tenant)
                guard try tx.removeProxy(proxy.id, at: now) else { return nil }
                try tx.revokeForwardKeys(onlyOn: proxy, at: now)
                if let id = proxy.serviceUser, var user = try tx.user(id) {
                    user.disabledAt = user.disabledAt ?? now
                    try tx.updateUser(user)
                    try tx.endTokens(of: id, by: now, at: now)
                }
                try tx.appendAudit(
                    dependencies.event(
                        .proxyRemoved, by: caller, subject: "proxy:\(proxy.id)", at: now,
                        details: [("name", proxy.name.rawValue)]))
                return proxy.serviceUser
            }
        } catch let error as StoreError {
            dependencies.settleUnknown()
            throw error
        }
        if let servedBy { dependencies.credentials.drop { $0.user?.id == servedBy } }
        await dependencies.proxiesChanged()
    }

    // MARK: Shared

    private func change(
        _ name: String, by caller: Caller, action: AuditAction, stores: Bool = true,
        _ body: @escaping @Sendable (inout Proxy, Timestamp) throws -> [(name: String, value: String)],
        also effect: @escaping @Sendable (any Transaction, Proxy, Timestamp) throws -> Void = { _, _, _ in }
    ) async throws -> Proxy {
        try caller.require(.proxiesWrite)
        let now = dependencies.now()
        let proxy: Proxy
        do {
            proxy = try await dependencies.database.write { [dependencies] tx in
                let before = try tx.requireProxy(name, in: caller.tenant)
                var proxy = before
                let details = try body(&proxy, now)
                try effect(tx, proxy, now)
                proxy.updatedAt = now
                if stores { try tx.updateProxy(proxy) }
                try tx.appendAudit(
                    dependencies.event(
                        action, by: caller, subject: "proxy:\(proxy.id)", at: now,
                        details: [("name", proxy.name.rawValue)] + details))
                return proxy
            }
        } catch let error as StoreError {
            dependencies.settleUnknown()
            throw error
        }
        await dependencies.proxiesChanged()
        return seen(proxy)
    }

    private func scanned(_ host: SSHTarget) async throws -> [SSHHostKey] {
        let order: [SSHHostKey.Kind] = [.ed25519, .ecdsa256, .ecdsa384, .ecdsa521]
        return try await scan(host)
            .compactMap { key in order.firstIndex(of: key.kind).map { (rank: $0, key: key) } }
            .sorted { $0.rank < $1.rank }
            .map(\.key)
    }

    private func best(of host: SSHTarget) async throws -> SSHHostKey {
        guard let key = try await scanned(host).first else {
            throw ControlError.notPossible(
                "\(host.text) offers no ed25519 or ECDSA host key; clients refuse RSA.")
        }
        return key
    }

    /// Clients pin ed25519 or ECDSA and refuse the rest, so a proxy with another key would let nobody in.
    private static func require(_ key: SSHHostKey) throws(ControlError) {
        switch key.kind {
        case .ed25519, .ecdsa256, .ecdsa384, .ecdsa521: return
        case .rsa, .skEd25519: throw .invalid(field: "host_key", rule: "an ed25519 or ECDSA key")
        }
    }

    private static func target(_ host: String, _ port: Int, field: String) throws -> SSHTarget {
        do { return try SSHTarget(host: host, port: port) } catch {
            throw ControlError.invalid(field: field, rule: error.description)
        }
    }
}

extension Proxy {
    fileprivate func hasTarget(of other: Proxy) -> Bool {
        targetHost == other.targetHost && targetPort == other.targetPort
    }
}

extension Transaction {
    /// By id, or by name.
    func requireProxy(_ name: String, in tenant: ID<Tenant>) throws -> Proxy {
        if let id = ID<Proxy>(name), let proxy = try proxy(id, in: tenant) { return proxy }
        guard let proxy = try proxy(named: name, in: tenant) else { throw ControlError.proxyNotFound }
        return proxy
    }
}

extension ControlDependencies {
    /// Lines for forward keys are written anew, and connections of those that lost a target end before this returns.
    func proxiesChanged() async {
        keys.dropAll()
        await endWhatLostReach(keys.livePersonalKeys)
    }

    fileprivate func addServiceUser(
        for proxy: Proxy, by caller: Caller, at now: Timestamp, in tx: any Transaction
    ) throws -> User {
        // A removed proxy's user stays, disabled, for the trail's sake: the next one of that name gets a number.
        let names = ["proxy-\(proxy.name)"] + (2...99).map { "proxy-\(proxy.name)-\($0)" }
        for name in names where UserName(rawValue: name) != nil {
            if try tx.user(named: name, in: proxy.tenant) != nil { continue }
            let user = User(
                id: .random(), tenant: proxy.tenant, name: name, kind: .service, role: .tunnelHost, createdAt: now)
            try tx.insertUser(user)
            try tx.appendAudit(
                event(
                    .userAdded, by: caller, subject: "user:\(user.id)", at: now,
                    details: [("name", user.name), ("kind", user.kind.rawValue), ("role", user.role.rawValue)]))
            return user
        }
        throw ControlError.nameTaken(field: "name")
    }

    fileprivate func addServiceToken(
        _ minted: MintedCredential, of user: User, by caller: Caller, at now: Timestamp, in tx: any Transaction
    ) throws {
        let token = AccessToken(
            id: .random(), tenant: user.tenant, user: user.id, label: "key lookups", createdAt: now,
            expiresAt: now + ProxyService.tokenLifetime, lifetime: ProxyService.tokenLifetime)
        try tx.requireRoomForToken(of: user.id, at: now)
        try tx.insertToken(token, digest: minted.digest)
        try tx.appendAudit(
            event(
                .tokenAdded, by: caller, subject: "token:\(token.id)", at: now,
                details: [
                    ("label", token.label), ("user", user.name),
                    ("expires_at", (now + ProxyService.tokenLifetime).rfc3339), ("scopes", "role"),
                ]))
    }
}
