public import GateModel
public import GateSSH
import GateStore

/// Keys that live for hours and reach the targets behind proxies: a CI job's way to a private service.
public struct ForwardKeyService: Sendable {
    public static let lifetimes: ClosedRange<Int> = 3_600...2_592_000
    public static let defaultLifetime = 86_400
    /// Unrevoked, unexpired ones of one owner.
    public static let limit = 1_000
    /// What a proxy's whole list holds at most.
    public static let listLimit = 5_000

    /// A key with the proxies it is good on, the one to try first before the others.
    public struct Registered: Sendable {
        public let key: TunnelKey
        public let proxies: [Proxy]
        /// False when this owner had registered it before: then its end stays as it was.
        public let isNew: Bool
    }

    private let dependencies: ControlDependencies
    private let proxies: ProxyService

    public init(_ dependencies: ControlDependencies, proxies: ProxyService) {
        self.dependencies = dependencies
        self.proxies = proxies
    }

    /// Registers a key for `proxy` alone, or for every active one. Throws `notPossible` where none is active, and
    /// `keyTaken` for a key that is somebody else's, has another purpose or leads elsewhere.
    public func register(
        _ publicKey: SSHPublicKey, for proxy: String?, label: Label, lifetime: Duration, by caller: Caller
    ) async throws -> Registered {
        try caller.require(.keys)
        let now = dependencies.now()
        let owner = caller.principal.user?.id
        let (key, active, isNew) = try await dependencies.database.write { [dependencies] tx in
            let (only, active) = try tx.goal(proxy, of: caller)
            try tx.revokeExpiredTunnelKey(fingerprint: publicKey.fingerprint, at: now)
            if let existing = try tx.unrevokedTunnelKey(fingerprint: publicKey.fingerprint) {
                guard existing.tenant == caller.tenant, existing.purpose == .forward, existing.user == owner,
                    existing.proxy == only
                else { throw ControlError.keyTaken }
                return (existing, active, false)
            }
            let held = try tx.liveTunnelKeyCount(of: owner, tenant: caller.tenant, purpose: .forward, at: now)
            guard held < Self.limit else {
                throw ControlError.limitReached("One owner may hold \(Self.limit) forward keys; revoke some first.")
            }
            let key = TunnelKey(
                id: .ordered(at: now), tenant: caller.tenant, purpose: .forward, fingerprint: publicKey.fingerprint,
                publicKey: publicKey.line, label: label.rawValue, user: owner, proxy: only, createdAt: now,
                loginUntil: now + lifetime, connectionUntil: now + lifetime)
            try tx.insertTunnelKey(key, reach: [])
            try tx.appendAudit(
                dependencies.event(
                    .tunnelKeyAdded, by: caller, subject: "tunnel-key:\(key.id)", at: now,
                    details: [
                        ("purpose", "forward"), ("fingerprint", key.fingerprint),
                        ("proxy", only.map { "\($0)" } ?? "all"), ("login_until", key.loginUntil.rfc3339),
                        ("connection_until", key.connectionUntil.rfc3339),
                    ]))
            return (key, active, true)
        }
        await dependencies.effects.keysChanged()
        return Registered(
            key: key, proxies: ProxyOrder.sorted(active.map(proxies.seen), for: owner), isNew: isNew)
    }

    /// The lines an sshd is told for this fingerprint, each confined to the proxy's target and to the key's end; none for a
    /// key that may not log in. A proxy's service user is told of its own proxy alone; whoever else may look keys up
    /// names one by `proxy`, or is told of all.
    public func lines(
        fingerprint: String, on proxy: String? = nil, for version: OpenSSHVersion, by caller: Caller
    ) async throws -> [String] {
        try caller.require(.keyLookup)
        let now = dependencies.now()
        let found: (key: TunnelKey, targets: [Proxy], allowFrom: [String])? = try await dependencies.database.read {
            tx in
            guard let key = try tx.unrevokedTunnelKey(fingerprint: fingerprint), key.purpose == .forward,
                key.tenant == caller.tenant, key.loginUntil > now
            else { return nil }
            let asking = try tx.proxies(asking: caller, naming: proxy)
            return try tx.forwardReach(of: key).map { allowFrom in
                (key, asking.filter { key.proxy == nil || key.proxy == $0.id }, allowFrom)
            }
        }
        guard let found, !found.targets.isEmpty else {
            dependencies.refusals.note(
                .init(kind: "tunnel-key", reason: "unknown", source: caller.source, credential: caller.credential))
            return []
        }
        return [try Self.line(found.key, found.targets, found.allowFrom, version)]
    }

    /// Every line of the asking proxy at once, for an sshd that can't ask for one key: at most `listLimit`, newest first.
    /// It is written down each time, because it hands out who may log in.
    public func allLines(
        on proxy: String? = nil, for version: OpenSSHVersion, by caller: Caller
    ) async throws -> [String] {
        try caller.require(.keyLookup)
        let now = dependencies.now()
        let found: [(key: TunnelKey, proxy: Proxy, allowFrom: [String])] = try await dependencies.database.read { tx in
            guard let asking = try tx.proxies(asking: caller, naming: proxy).first else { return [] }
            return try tx.liveForwardKeys(on: asking, at: now, limit: Self.listLimit).compactMap { key in
                try tx.forwardReach(of: key).map { (key, asking, $0) }
            }
        }
        try await dependencies.record(
            dependencies.event(
                .tunnelKeysListed, by: caller, subject: found.first.map { "proxy:\($0.proxy.id)" } ?? "proxy",
                severity: .warning, at: now, details: [("keys", String(found.count))]))
        return try found.map { try Self.line($0.key, [$0.proxy], $0.allowFrom, version) }
    }

    private static func line(
        _ key: TunnelKey, _ proxies: [Proxy], _ allowFrom: [String], _ version: OpenSSHVersion
    ) throws -> String {
        let targets = try Set(proxies.map { try SSHTarget(host: $0.targetHost, port: $0.targetPort) })
        return try KeyLine.forward(targets: targets.sorted { $0.text < $1.text }).text(
            key: SSHPublicKey(importing: key.publicKey), from: allowFrom, expires: key.loginUntil, version: version)
    }
}

extension Transaction {
    /// The one proxy that was named (nil: any), and the active ones a key would be good on.
    fileprivate func goal(_ name: String?, of caller: Caller) throws -> (only: ID<Proxy>?, active: [Proxy]) {
        guard let name else {
            let active = try activeProxies(in: caller.tenant)
            guard !active.isEmpty else {
                throw ControlError.notPossible("No proxy is active; add one with 'tidegate proxy add'.")
            }
            return (nil, active)
        }
        let proxy = try requireProxy(name, in: caller.tenant)
        guard proxy.isActive else { throw ControlError.notPossible("This proxy is switched off.") }
        return (proxy.id, [proxy])
    }

    /// The active proxies that a lookup is for: the one the asking service user serves, else the named one, else all.
    fileprivate func proxies(asking caller: Caller, naming name: String?) throws -> [Proxy] {
        var active: [Proxy]
        if let user = caller.principal.user, user.role == .tunnelHost {
            active = try [proxy(servedBy: user.id)].compactMap { $0 }.filter(\.isActive)
        } else {
            active = try activeProxies(in: caller.tenant)
        }
        if let name { active = active.filter { $0.id.text == name || $0.name.rawValue == name } }
        return active
    }

    /// From where a forward key may be used; nil when its owner may not use any.
    func forwardReach(of key: TunnelKey) throws -> [String]? {
        guard let id = key.user else { return [] }
        guard let user = try user(id), user.disabledAt == nil, user.role.scopes.contains(.keys) else { return nil }
        return user.allowFrom
    }
}
