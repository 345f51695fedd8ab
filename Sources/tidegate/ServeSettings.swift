import GateControl
import GateHTTP
import GateModel
import GateSSH
import Glibc
import Yams

/// Everything `serve` can be told, read and checked: flags over environment over file over defaults.
struct ServeSettings: Sendable {
    enum SSHMode: String, Sendable { case managed, external, off }

    enum KeysCommand: Sendable, Equatable {
        case standard
        case program(String)
        case none
    }

    let stateDirectory: String
    let listen: Endpoint
    let publicURL: String
    let databasePath: String
    let ssh: SSHMode
    let sshListen: Endpoint
    let sshPublic: Endpoint
    let sshUser: String?
    let leasePorts: ClosedRange<Int>
    let leaseLifetime: Duration
    let leaseAddress: String
    let keysCommand: KeysCommand
    let bootstrapTokenFile: String?
    let tls: (certificate: String, key: String)?
    let trustedProxies: [AddressBlock]
    let heartbeat: Duration
    let sshd: String?
    /// Nil: agents of ssh-tunnel-gateway aren't served.
    let sharedKeys: SharedKeySettings?
    let sharedKeysFile: String?
    /// A private authority's certificates, for calls to others.
    let outboundCAFile: String?
    /// Nil: node tokens are nobody's.
    let fleet: OutboundURL?
    let environmentCredentials: EnvironmentCredentialSettings
    let audit: AuditSettings
    /// Where browsers sign in.
    let panelURL: String
    let sessionIdle: Duration
    let sessionLifetime: Duration
    let outsideSignIn: OutsideSignInSettings
    /// Nil: `master.key` of the state directory.
    let masterKeyFile: String?
    let requestRules: RequestLimits.Rules
    /// Whether proxies and their targets may be on this host's loopback.
    let allowsProxyLoopback: Bool
    /// Whom a gateway that root started becomes.
    let runAs: String?

    static let environmentPrefix = "TIDEGATE_"

    /// The environment variable of a setting.
    static func variable(_ name: String) -> String {
        environmentPrefix + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    }

    /// Everything that was set, by the names of the settings, unread.
    static func values(flags: [String: String], file: String?, environment: [String: String]) throws -> [String: String]
    {
        var values = try file.map(readFile) ?? [:]
        for name in ServeFlags.names {
            // TIDEGATE_URL and its like belong to the client: an empty variable counts as unset.
            if let value = environment[variable(name)], !value.isEmpty { values[name] = value }
        }
        values.merge(flags) { _, flag in flag }
        return values
    }

    /// `isRoot`: whether root started the gateway, whoever it is now.
    init(_ values: [String: String], environment: [String: String], isRoot: Bool) throws {
        (stateDirectory, databasePath) = try Self.location(values, environment: environment, isRoot: isRoot)
        listen = try Self.endpoint(values["listen"] ?? "127.0.0.1:12000", "listen")
        switch (
            try Self.path(values["tls-certificate"], "tls-certificate"), try Self.path(values["tls-key"], "tls-key")
        ) {
        case (let certificate?, let key?): tls = (certificate, key)
        case (nil, nil): tls = nil
        default: throw StartFault("tls-certificate and tls-key go together: give both or none")
        }
        publicURL = try Self.url(values["public-url"]) ?? "\(tls == nil ? "http" : "https")://\(listen.reachable)"
        guard let mode = SSHMode(rawValue: values["ssh"] ?? "managed") else {
            throw StartFault("ssh must be managed, external or off")
        }
        ssh = mode
        sshListen = try Self.endpoint(values["ssh-listen"] ?? "127.0.0.1:2222", "ssh-listen")
        sshPublic =
            try values["ssh-public"].map { try Self.endpoint($0, "ssh-public", literal: false) } ?? sshListen.asSeen
        sshUser = values["ssh-user"]
        if let sshUser, LoginName(rawValue: sshUser) == nil { throw StartFault("ssh-user must be \(LoginName.rule)") }
        leasePorts = try Self.ports(values["lease-ports"] ?? "20000-29999")
        leaseLifetime = try Self.duration(values["lease-ttl"] ?? "7d", "lease-ttl")
        guard leaseLifetime >= .seconds(60) else { throw StartFault("lease-ttl must be at least 60s") }
        leaseAddress = try Self.literal(values["lease-bind"] ?? "127.0.0.1", "lease-bind")
        switch values["keys-command"] {
        case nil: keysCommand = .standard
        case "none": keysCommand = .none
        case let text: keysCommand = .program(try Self.path(text, "keys-command") ?? "")
        }
        bootstrapTokenFile = try Self.path(values["bootstrap-token-file"], "bootstrap-token-file")
        trustedProxies = try (values["trusted-proxies"] ?? "").split(separator: ",").map { text in
            guard let block = AddressBlock(text.filter { $0 != " " }) else {
                throw StartFault("trusted-proxies must be addresses or blocks like 10.0.0.0/8, comma separated")
            }
            return block
        }
        heartbeat = try Self.duration(values["heartbeat"] ?? "60s", "heartbeat")
        guard heartbeat <= leaseLifetime else { throw StartFault("heartbeat must not be longer than lease-ttl") }
        sshd = try Self.path(values["sshd"], "sshd")
        sharedKeysFile = try Self.path(values["api-keys-file"], "api-keys-file")
        sharedKeys = try SharedKeySettings.resolve(file: sharedKeysFile, environment: environment)
        outboundCAFile = try Self.path(values["outbound-ca-file"], "outbound-ca-file")
        fleet = try Self.fleet(values["fleet-url"], environment: environment)
        environmentCredentials = EnvironmentCredentialSettings(environment: environment)
        audit = try AuditSettings(values)
        panelURL = try Self.url(values["panel-url"], "panel-url") ?? publicURL
        sessionIdle = try Self.duration(values["session-idle"] ?? "12h", "session-idle")
        sessionLifetime = try Self.duration(values["session-ttl"] ?? "7d", "session-ttl")
        guard sessionIdle >= .seconds(60), sessionLifetime >= sessionIdle else {
            throw StartFault("session-idle must be at least 60s, and session-ttl not shorter")
        }
        outsideSignIn = try OutsideSignInSettings(values, environment: environment)
        masterKeyFile = try Self.path(values["master-key-file"], "master-key-file")
        allowsProxyLoopback = try Self.flag(values["proxy-loopback"], "proxy-loopback")
        requestRules = try Self.requestRules(values["request-rate"])
        runAs = values["run-as"]
        if let runAs, LoginName(rawValue: runAs) == nil { throw StartFault("run-as must be \(LoginName.rule)") }
    }
}

/// A host and a port.
struct Endpoint: Sendable, Equatable {
    let host: String
    let port: Int

    var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// The same as seen from this host: a wildcard is reached over loopback.
    var asSeen: Endpoint {
        switch host {
        case "0.0.0.0": Endpoint(host: "127.0.0.1", port: port)
        case "::": Endpoint(host: "::1", port: port)
        default: self
        }
    }

    var reachable: String { asSeen.text }
    var isWildcard: Bool { host == "0.0.0.0" || host == "::" }
}
