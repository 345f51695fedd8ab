/// What a credential may be used for. A role has some; a token may have fewer, never more.
public struct Scopes: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// See machines: all of them with `machinesWrite` too, else those that a grant names.
    public static let machinesRead = Scopes(rawValue: 1 << 0)
    /// Add, change and remove machines, their enrolment tokens and agent keys.
    public static let machinesWrite = Scopes(rawValue: 1 << 1)
    /// Register and revoke one's own keys for the jump.
    public static let keys = Scopes(rawValue: 1 << 2)
    /// Make, list, renew and revoke one's own tokens.
    public static let tokens = Scopes(rawValue: 1 << 3)
    /// See live connections.
    public static let connectionsRead = Scopes(rawValue: 1 << 4)
    /// Read the audit trail.
    public static let auditRead = Scopes(rawValue: 1 << 5)
    /// See users, grants and everybody's keys.
    public static let accessRead = Scopes(rawValue: 1 << 6)
    /// Change users and grants, revoke everybody's keys and tokens.
    public static let accessWrite = Scopes(rawValue: 1 << 7)
    /// Ask what a tunnel key may do: another host's sshd.
    public static let keyLookup = Scopes(rawValue: 1 << 8)
    /// Take the gateway out of service and back.
    public static let drain = Scopes(rawValue: 1 << 9)
    /// Make tenants and see them: the operator on the gateway's own host alone.
    public static let tenants = Scopes(rawValue: 1 << 10)

    /// Add, change and remove proxies.
    public static let proxiesWrite = Scopes(rawValue: 1 << 11)

    /// What a node token may have of its owner's role: to look. A stolen one must not turn into a person's credential, and
    /// a node's computer is somebody else's.
    public static let node: Scopes = [.machinesRead, .connectionsRead]
    /// What a program that a person signs in with gets when it asks for nothing else: what running machines takes, and
    /// nothing of who may do what.
    public static let usual: Scopes = [.machinesRead, .machinesWrite, .keys, .tokens, .connectionsRead]

    private static let named: [(name: String, scope: Scopes)] = [
        ("machines:read", .machinesRead), ("machines:write", .machinesWrite), ("keys", .keys), ("tokens", .tokens),
        ("connections:read", .connectionsRead), ("audit:read", .auditRead), ("access:read", .accessRead),
        ("access:write", .accessWrite), ("key-lookup", .keyLookup), ("drain", .drain), ("tenants", .tenants),
        ("proxies:write", .proxiesWrite),
    ]

    /// Every scope there is, by the name that APIs and the store use.
    public static var names: [String] { named.map(\.name) }

    /// The scope of that name.
    public init?(name: some StringProtocol) {
        guard let scope = Self.named.first(where: { $0.name == name })?.scope else { return nil }
        self = scope
    }

    /// Their names, in a fixed order.
    public var names: [String] { Self.named.filter { contains($0.scope) }.map(\.name) }

    /// Names with a blank between two, as the store keeps them. Nil for a name that isn't one.
    public init?(text: String) {
        var scopes: Scopes = []
        for name in text.split(separator: " ") {
            guard let scope = Scopes(name: name) else { return nil }
            scopes.formUnion(scope)
        }
        self = scopes
    }

    public var text: String { names.joined(separator: " ") }
}
