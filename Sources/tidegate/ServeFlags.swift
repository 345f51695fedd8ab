import ArgumentParser
import Glibc

/// The settings as flags. Their values are read in one place with those of the environment and the file.
struct ServeFlags: ParsableArguments {
    @Option(help: ArgumentHelp("Where everything is kept (TIDEGATE_STATE_DIR).", valueName: "dir"))
    var stateDir: String?
    @Option(help: ArgumentHelp("The API's address (default: 127.0.0.1:12000).", valueName: "host:port"))
    var listen: String?
    @Option(help: ArgumentHelp("The API as agents and people see it (default: from --listen).", valueName: "url"))
    var publicUrl: String?
    @Option(help: ArgumentHelp("sqlite:PATH (default: sqlite:<state-dir>/tidegate.db).", valueName: "url"))
    var store: String?
    @Option(help: ArgumentHelp("managed, external or off (default: managed).", valueName: "mode"))
    var ssh: String?
    @Option(help: ArgumentHelp("Where the managed sshd is reached (default: 127.0.0.1:2222).", valueName: "host:port"))
    var sshListen: String?
    @Option(
        help: ArgumentHelp("The same as agents and people see it (default: from --ssh-listen).", valueName: "host:port")
    )
    var sshPublic: String?
    @Option(
        help: ArgumentHelp("The one login of all tunnels (default: tidegate as root, else you).", valueName: "name"))
    var sshUser: String?
    @Option(help: ArgumentHelp("Ports for machines (default: 20000-29999).", valueName: "a-b"))
    var leasePorts: String?
    @Option(help: ArgumentHelp("How long a silent machine keeps its port (default: 7d).", valueName: "duration"))
    var leaseTtl: String?
    @Option(help: ArgumentHelp("Where leased ports are bound (default: 127.0.0.1).", valueName: "address"))
    var leaseBind: String?
    @Option(
        help: ArgumentHelp(
            "The tidegate-keys that sshd runs, or 'none' for an authorized_keys file.", valueName: "path"))
    var keysCommand: String?
    @Option(help: ArgumentHelp("On an empty store, write an administrator's token there.", valueName: "file"))
    var bootstrapTokenFile: String?
    @Option(
        help: ArgumentHelp(
            "Keys that ssh-tunnel-gateway agents share (API_KEY, API_KEYS); their dialect is off without.",
            valueName: "file"))
    var apiKeysFile: String?
    @Option(help: ArgumentHelp("PEM certificate chain; with --tls-key the API speaks https.", valueName: "file"))
    var tlsCertificate: String?
    @Option(help: ArgumentHelp("PEM private key.", valueName: "file"))
    var tlsKey: String?
    @Option(help: ArgumentHelp("Where browsers sign in (default: --public-url).", valueName: "url"))
    var panelUrl: String?
    @Option(help: ArgumentHelp("A browser's session ends unused after this (default: 12h).", valueName: "duration"))
    var sessionIdle: String?
    @Option(help: ArgumentHelp("... and in any case after this (default: 7d).", valueName: "duration"))
    var sessionTtl: String?
    @Option(
        help: ArgumentHelp(
            "The key of sealed secrets (default: <state-dir>/master.key, made at the first start).", valueName: "file"))
    var masterKeyFile: String?
    @Option(
        help: ArgumentHelp(
            "The OpenID provider people may sign in with: its issuer, to the letter.", valueName: "url"))
    var oidcIssuer: String?
    @Option(help: ArgumentHelp("The name it knows this gateway by.", valueName: "id"))
    var oidcClientId: String?
    @Option(
        help: ArgumentHelp(
            "The secret it gave (TIDEGATE_OIDC_CLIENT_SECRET); none for a public client.", valueName: "file"))
    var oidcClientSecretFile: String?
    @Option(help: ArgumentHelp("What it is asked for (default: openid profile email).", valueName: "scopes"))
    var oidcScopes: String?
    @Option(help: ArgumentHelp("The claim that lists somebody's groups (default: groups).", valueName: "claim"))
    var oidcGroupsClaim: String?
    @Option(
        help: ArgumentHelp(
            "What a group may do here: admin, operator or viewer; again for each group.", valueName: "group=role"))
    var oidcRole: [String] = []
    @Option(help: ArgumentHelp("... and who is in none of them (default: they stay out).", valueName: "role"))
    var oidcDefaultRole: String?
    @Option(
        help: ArgumentHelp("Cloudflare Access before this gateway: the team's name or domain.", valueName: "team"))
    var cloudflareAccessTeam: String?
    @Option(help: ArgumentHelp("... and the application's audience (AUD) tag.", valueName: "aud"))
    var cloudflareAccessAudience: String?
    @Option(
        help: ArgumentHelp(
            "What somebody may do who comes by it for the first time (default: they stay out unless linked).",
            valueName: "role"))
    var cloudflareAccessDefaultRole: String?
    @Option(
        help: ArgumentHelp(
            "Proxies whose X-Forwarded-For counts: addresses or blocks, comma separated.", valueName: "list"))
    var trustedProxies: String?
    @Option(
        help: ArgumentHelp(
            "Requests a second with one credential, twice as many at once; 0: no limit (default: 1000).",
            valueName: "number"))
    var requestRate: String?
    @Flag(help: "Proxies and their targets may be on this host's loopback (TIDEGATE_PROXY_LOOPBACK=true).")
    var proxyLoopback = false
    @Option(
        help: ArgumentHelp(
            "PEM certificates that calls to others (Fleet, OIDC, webhooks) trust beside the system's.",
            valueName: "file"))
    var outboundCaFile: String?
    @Option(
        help: ArgumentHelp(
            "The Fleet that vouches for node tokens, mcn_… (MULTICA_CLOUD_FLEET_URL, MULTICA_FLEET_URL).",
            valueName: "url"))
    var fleetUrl: String?
    @Option(help: ArgumentHelp("How often agents report (default: 60s).", valueName: "duration"))
    var heartbeat: String?
    @Option(
        help: ArgumentHelp(
            "required or best-effort: what happens where the audit trail can't be written (default: best-effort).",
            valueName: "mode"))
    var audit: String?
    @Option(
        help: ArgumentHelp(
            "Also send the audit trail there: udp://, tcp://, tls://HOST:PORT or unix:/PATH.", valueName: "url"))
    var auditSyslog: String?
    @Option(help: ArgumentHelp("Also POST the audit trail there, signed with the secret.", valueName: "url"))
    var auditWebhook: String?
    @Option(help: ArgumentHelp("The secret that signs what the webhook gets.", valueName: "file"))
    var auditWebhookSecretFile: String?
    @Option(
        help: ArgumentHelp(
            "Whom root's gateway becomes, or 'root' to stay (default: tidegate-gateway where it can).",
            valueName: "name"))
    var runAs: String?
    @Option(help: ArgumentHelp("The sshd program (default: /usr/sbin/sshd).", valueName: "path"))
    var sshd: String?

    /// By the names of the settings; absent flags aren't there.
    var values: [String: String] {
        let all: [(String, String?)] = [
            ("state-dir", stateDir), ("listen", listen), ("public-url", publicUrl), ("store", store), ("ssh", ssh),
            ("ssh-listen", sshListen), ("ssh-public", sshPublic), ("ssh-user", sshUser), ("lease-ports", leasePorts),
            ("lease-ttl", leaseTtl), ("lease-bind", leaseBind), ("keys-command", keysCommand),
            ("bootstrap-token-file", bootstrapTokenFile), ("tls-certificate", tlsCertificate), ("tls-key", tlsKey),
            ("trusted-proxies", trustedProxies), ("heartbeat", heartbeat), ("sshd", sshd),
            ("api-keys-file", apiKeysFile),
            ("run-as", runAs), ("outbound-ca-file", outboundCaFile), ("fleet-url", fleetUrl), ("audit", audit),
            ("audit-syslog", auditSyslog), ("audit-webhook", auditWebhook),
            ("audit-webhook-secret-file", auditWebhookSecretFile), ("panel-url", panelUrl),
            ("session-idle", sessionIdle), ("session-ttl", sessionTtl), ("master-key-file", masterKeyFile),
            ("request-rate", requestRate), ("proxy-loopback", proxyLoopback ? "true" : nil),
            ("oidc-issuer", oidcIssuer), ("oidc-client-id", oidcClientId),
            ("oidc-client-secret-file", oidcClientSecretFile), ("oidc-scopes", oidcScopes),
            ("oidc-groups-claim", oidcGroupsClaim),
            ("oidc-role", oidcRole.isEmpty ? nil : oidcRole.joined(separator: ";")),
            ("oidc-default-role", oidcDefaultRole), ("cloudflare-access-team", cloudflareAccessTeam),
            ("cloudflare-access-audience", cloudflareAccessAudience),
            ("cloudflare-access-default-role", cloudflareAccessDefaultRole),
        ]
        return Dictionary(uniqueKeysWithValues: all.compactMap { name, value in value.map { (name, $0) } })
    }

    static let names: Set<String> = [
        "state-dir", "listen", "public-url", "store", "ssh", "ssh-listen", "ssh-public", "ssh-user", "lease-ports",
        "lease-ttl", "lease-bind", "keys-command", "bootstrap-token-file", "tls-certificate", "tls-key",
        "trusted-proxies", "heartbeat", "sshd", "run-as", "api-keys-file", "outbound-ca-file",
        "fleet-url", "audit", "audit-syslog", "audit-webhook", "audit-webhook-secret-file",
        "panel-url", "session-idle", "session-ttl", "master-key-file", "oidc-issuer", "oidc-client-id",
        "oidc-client-secret-file", "oidc-scopes", "oidc-groups-claim", "oidc-role", "oidc-default-role",
        "cloudflare-access-team", "cloudflare-access-audience", "cloudflare-access-default-role", "request-rate",
        "proxy-loopback",
    ]
}

/// This process's environment, read once.
enum SystemEnvironment {
    static var values: [String: String] {
        var values: [String: String] = [:]
        var entry = environ
        while let pointer = entry.pointee {
            let text = String(cString: pointer)
            if let equals = text.firstIndex(of: "=") {
                values[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            entry += 1
        }
        return values
    }
}
