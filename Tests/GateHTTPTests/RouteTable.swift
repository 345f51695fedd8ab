import GateControl
import GateHTTP
import GateModel
import GatePanel
import GateSSH
import GateStore
import GateTesting
import HTTPTypes
import HummingbirdTesting
import Synchronization

/// What a good request to a route looks like and how it is answered.
struct GoodRequest: Sendable {
    let status: Int
    /// Nil for a route that reads no body.
    let body: (@Sendable (TestAPI) async throws -> String)?

    /// The body is a browser's form, not JSON.
    let isForm: Bool

    init(_ status: Int, _ body: (@Sendable (TestAPI) async throws -> String)? = nil, isForm: Bool = false) {
        self.status = status
        self.body = body
        self.isForm = isForm
    }

    /// A form of a page that the session's browser shows.
    static func form(_ status: Int, _ fields: @escaping @Sendable (TestAPI) async throws -> String) -> GoodRequest {
        GoodRequest(
            status,
            { api in "csrf=\(api.signIn.sessions.forgeryToken(of: api.session.id))&\(try await fields(api))" },
            isForm: true)
    }
}

/// Every route there may be. One that is added without a line here fails the walk over all routes.
enum RouteTable {
    /// A number that no other request of this run has: names and keys are taken once.
    private static let numbers = Atomic<UInt64>(1_000)

    private static func fresh() -> UInt64 { numbers.add(1, ordering: .relaxed).newValue }

    static let system = ["GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.yaml"]

    /// Below `/api/v1` and `/api` alike.
    static let native: [String: GoodRequest] = [
        "POST /setup": GoodRequest(201) { api in #"{"secret":"\#(try await api.setup.makeSecret().reveal())"}"# },
        "GET /whoami": GoodRequest(200),
        "GET /gateway": GoodRequest(200),
        "POST /tokens": GoodRequest(201) { _ in #"{"label":"ci"}"# },
        "GET /tokens": GoodRequest(200),
        "DELETE /tokens/:id": GoodRequest(204),
        "POST /tokens/current/renew": GoodRequest(200),
        "POST /node-tokens/forget": GoodRequest(204),
        "POST /users": GoodRequest(201) { _ in #"{"name":"u\#(fresh())","role":"viewer"}"# },
        "GET /users": GoodRequest(200),
        "GET /users/:name": GoodRequest(200),
        "PATCH /users/:name": GoodRequest(200) { _ in #"{"allow_from":["192.0.2.0/24"]}"# },
        "POST /users/:name/identities": GoodRequest(201) { _ in
            #"{"issuer":"https://id.example","subject":"s\#(fresh())"}"#
        },
        "GET /users/:name/identities": GoodRequest(200),
        "DELETE /users/:name/identities/:id": GoodRequest(204),
        "POST /tenants": GoodRequest(201) { _ in #"{"name":"t\#(fresh())","administrator":"ada"}"# },
        "GET /tenants": GoodRequest(200),
        "POST /grants": GoodRequest(201) { _ in #"{"role":"viewer","machine":"web","ttl":60}"# },
        "GET /grants": GoodRequest(200),
        "DELETE /grants/:id": GoodRequest(204),
        "GET /access/check": GoodRequest(200),
        "GET /connections": GoodRequest(200),
        "POST /auth/password-login": GoodRequest(200) { api in
            try await api.signIn.passwords.setPassword(
                ofUserNamed: "admin", current: nil, new: "a long pass phrase", by: api.gateway.admin)
            return #"{"username":"admin","password":"a long pass phrase"}"#
        },
        // No provider is set up here; the sign-ins themselves have tests of their own.
        "GET /auth/oidc/start": GoodRequest(403),
        "GET /auth/oidc/callback": GoodRequest(403),
        "POST /auth/cloudflare-access": GoodRequest(403),
        "POST /auth/logout": GoodRequest(200),
        "GET /auth/status": GoodRequest(200),
        "GET /auth/sessions": GoodRequest(200),
        "DELETE /auth/sessions/:id": GoodRequest(204),
        "POST /auth/password": GoodRequest(204) { api in
            try await api.forgetSignIn()
            return #"{"new_password":"a long pass phrase"}"#
        },
        "POST /auth/totp": GoodRequest(201) { api in
            try await api.forgetSignIn()
            return "{}"
        },
        "POST /auth/totp/confirm": GoodRequest(200) { api in
            try await api.forgetSignIn()
            let offer = try await api.signIn.secondFactor.offer(password: nil, by: api.caller)
            return #"{"code":"\#(try api.gateway.code(offer))"}"#
        },
        "POST /auth/totp/recovery-codes": GoodRequest(200) { api in #"{"code":"\#(try await api.recoveryCode())"}"# },
        "POST /auth/totp/disable": GoodRequest(204) { api in #"{"code":"\#(try await api.recoveryCode())"}"# },
        "POST /auth/totp/reset": GoodRequest(204) { api in
            try await api.addEve()
            return #"{"username":"eve"}"#
        },
        "POST /auth/device": GoodRequest(200) { _ in
            #"{"client_name":"tidegate on box","code_challenge":"\#(String(repeating: "A", count: 43))"}"#
        },
        "POST /auth/device/token": GoodRequest(201) { api in
            let verifier = String(repeating: "v", count: 43)
            let begun = try await api.beginDevice(verifier)
            _ = try await api.signIn.devices.decide(
                userCode: begun.userCode, approves: true, proof: .init(), by: api.freshCaller())
            return #"{"device_code":"\#(begun.deviceCode.reveal())","code_verifier":"\#(verifier)"}"#
        },
        "POST /auth/device/lookup": GoodRequest(200) { api in
            #"{"user_code":"\#(try await api.beginDevice("v").userCode)"}"#
        },
        "POST /auth/device/decision": GoodRequest(200) { api in
            #"{"user_code":"\#(try await api.beginDevice("v").userCode)","approve":true}"#
        },
        "POST /machines": GoodRequest(201) { _ in #"{"name":"db\#(fresh())","tags":["a"],"enrolment_ttl":60}"# },
        "GET /machines": GoodRequest(200),
        "GET /machines/:agent_id": GoodRequest(200),
        "PATCH /machines/:agent_id": GoodRequest(200) { _ in #"{"site":"Kiel"}"# },
        "DELETE /machines/:agent_id": GoodRequest(204),
        "POST /machines/:agent_id/enrolments": GoodRequest(201) { _ in #"{"ttl":60}"# },
        "GET /machines/:agent_id/enrolments": GoodRequest(200),
        "DELETE /machines/:agent_id/enrolments/:id": GoodRequest(204),
        "POST /machines/:agent_id/keys": GoodRequest(201),
        "GET /machines/:agent_id/keys": GoodRequest(200),
        "DELETE /machines/:agent_id/keys/:id": GoodRequest(204),
        "POST /agent/enrol": GoodRequest(201) { _ in #"{"public_key":"\#(try SampleKeys.publicKey(20).line)"}"# },
        "POST /agent/register": GoodRequest(200) { _ in
            #"{"public_key":"\#(try SampleKeys.publicKey(21).line)","host_keys":[],"os":"","agent_version":""}"#
        },
        "POST /agent/heartbeat": GoodRequest(200) { _ in #"{"generation":1}"# },
        "POST /tunnel-keys": GoodRequest(201) { _ in
            #"{"public_key":"\#(try SampleKeys.publicKey(fresh()).line)","machines":["web"]}"#
        },
        "GET /tunnel-keys": GoodRequest(200),
        "GET /tunnel-keys/:id": GoodRequest(200),
        "DELETE /tunnel-keys/:id": GoodRequest(204),
        "GET /proxies": GoodRequest(200),
        "POST /proxies": GoodRequest(201) { _ in
            #"{"name":"p\#(fresh())","target_host":"10.0.0.9","target_port":\#(fresh())}"#
        },
        "POST /proxies/scan": GoodRequest(200) { _ in #"{"host":"jump.example"}"# },
        "GET /proxies/:proxy": GoodRequest(200),
        "PATCH /proxies/:proxy": GoodRequest(200) { _ in #"{"target_port":\#(fresh())}"# },
        "DELETE /proxies/:proxy": GoodRequest(204),
        "POST /proxies/:proxy/activate": GoodRequest(200),
        "POST /proxies/:proxy/deactivate": GoodRequest(200),
        "POST /proxies/:proxy/host-key": GoodRequest(200),
        "POST /proxies/:proxy/token": GoodRequest(201),
        "POST /forward-keys": GoodRequest(201) { _ in
            #"{"public_key":"\#(try SampleKeys.publicKey(fresh()).line)","proxy":"own"}"#
        },
        "GET /forward-keys/lines": GoodRequest(200),
        "GET /audit/events": GoodRequest(200),
        "POST /auth/ws-ticket": GoodRequest(201) { _ in #"{"endpoint":"/api/v1/audit/stream"}"# },
        // Whoever asks without an upgrade is told to ask for one; the black-box suite has the rest, over sockets.
        "GET /audit/stream": GoodRequest(426),
        "POST /imports/ssh-tunnel-gateway": GoodRequest(200) { api in
            let number = fresh()
            let key = try SampleKeys.publicKey(number).line
            // A port that no machine holds: one is given out by chance.
            let gateway = api.gateway.dependencies.identity.gateway
            let held = try await api.gateway.database.read { tx in
                try tx.leasedPorts(on: gateway, address: "127.0.0.1")
            }
            let port = (20_000...20_099).first { !held.contains($0) } ?? 20_000
            return
                #"{"agents":[{"agent_id":"old\#(number)","port":\#(port),"public_key":"\#(key)","last_seen_at":"2026-01-01T00:00:00Z","lease_expires_at":"2999-01-01T00:00:00Z"}]}"#
        },
    ]

    /// Other programs' APIs. What a caller gets wrong is told inside an answer of 200 there.
    static let dialects: [String: GoodRequest] = [
        "POST /api/v1/client/ssh/tunnel": GoodRequest(200) { _ in
            #"{"public_key":"\#(try SampleKeys.publicKey(fresh()).line)"}"#
        },
        "GET /api/v1/client/ssh/tunnel": GoodRequest(200),
        "GET /api/v1/client/ssh/tunnel/keys": GoodRequest(200),
        "GET /api/v1/client/ssh/keys": GoodRequest(200),
        "GET /admin/api/v1/proxy-tunnel/config": GoodRequest(200),
        "GET /admin/api/v1/proxy-tunnel/configs": GoodRequest(200),
        "POST /admin/api/v1/proxy-tunnel/config": GoodRequest(200) { _ in
            #"{"host":"jump\#(fresh()).example","port":22,"proxy_user":"argus-proxy","target_host":"10.0.0.7","target_port":80}"#
        },
        "POST /admin/api/v1/proxy-tunnel/config/:id/active": GoodRequest(200) { _ in #"{"is_active":true}"# },
        "DELETE /admin/api/v1/proxy-tunnel/config/:id": GoodRequest(200) { _ in #"{"delete_user":false}"# },
        "GET /admin/api/v1/ssh/keys": GoodRequest(200),
        "DELETE /admin/api/v1/ssh/keys/:id": GoodRequest(200),
    ]

    /// Pages for people before a browser.
    static let pages: [String: GoodRequest] = [
        "GET \(Panel.stylesheetPath)": GoodRequest(200),
        "GET /sign-in": GoodRequest(200),
        "POST /sign-in": .form(303) { api in
            try await api.forgetSignIn()
            try await api.signIn.passwords.setPassword(
                ofUserNamed: "admin", current: nil, new: "a long pass phrase", by: api.gateway.admin)
            return "name=admin&password=a+long+pass+phrase"
        },
        // Without a first step there is no second: back to the first.
        "GET /sign-in/code": GoodRequest(303),
        "POST /sign-in/code": .form(303) { _ in "code=123456" },
        "GET /": GoodRequest(200),
        "POST /sign-out": .form(303) { _ in "where=everywhere" },
        "POST /sessions/:id/end": .form(303) { _ in "" },
        "GET /second-factor": GoodRequest(200),
        "POST /second-factor/offer": .form(200) { api in
            try await api.forgetSignIn()
            return ""
        },
        "POST /second-factor/confirm": .form(200) { api in
            try await api.forgetSignIn()
            let offer = try await api.signIn.secondFactor.offer(password: nil, by: api.caller)
            return "code=\(try api.gateway.code(offer))"
        },
        "POST /second-factor/recovery-codes": .form(200) { api in "code=\(try await api.recoveryCode())" },
        "POST /second-factor/disable": .form(303) { api in "code=\(try await api.recoveryCode())" },
        "GET /device": GoodRequest(200),
        "POST /device": .form(200) { api in "code=\(try await api.beginDevice("v").userCode)" },
        "POST /device/decision": .form(303) { api in
            "code=\(try await api.beginDevice("v").userCode)&decision=approve"
        },
    ]

    static func name(_ entry: RouteBook.Entry) -> String {
        var path = entry.path
        for root in ["/api/v1", "/api"] where path.hasPrefix(root) {
            path = String(path.dropFirst(root.count))
            break
        }
        return "\(entry.method) \(path)"
    }

    static func isDialect(_ entry: RouteBook.Entry) -> Bool {
        if case .dialect = entry.access { true } else { false }
    }

    static func good(_ entry: RouteBook.Entry) -> GoodRequest? {
        let name = "\(entry.method) \(entry.path)"
        return system.contains(name) ? GoodRequest(200) : pages[name] ?? dialects[name] ?? native[self.name(entry)]
    }

    /// For the operator on the gateway's own host, who comes by admin.sock.
    static func isForTheHost(_ entry: RouteBook.Entry) -> Bool {
        if case .scoped(let scopes) = entry.access { scopes.contains(.tenants) } else { false }
    }

    /// The status of a good request but for its sender.
    static func status(_ entry: RouteBook.Entry, _ sender: Sender, good: Int) -> Int {
        switch (entry.access, sender) {
        // A credential that is given must be one, also where none is needed.
        case (_, .malformed), (_, .unknown), (_, .revoked), (_, .expired), (_, .disabled): return 401
        case (_, .elsewhere): return 403
        case (.anyone, _), (.probe, _), (.setupSecret, _), (.ticket, _): return good
        // Whoever is signed in goes on; whoever isn't is sent to sign in, also with a token: pages know cookies alone.
        case (.page, .browser): return entry.path == "/sign-in" ? 303 : good
        case (.page, _), (.personPage, .browser): return good
        case (.personPage, _): return 303
        case (.dialect(let scopes), _): return sender.scopes.isSuperset(of: scopes) ? good : 403
        case (.enrolmentToken, .enrolmentToken), (.machine, .agentKey): return good
        // It is `web` by the Fleet's word, and `web` has a key; the shared key names no machine in this walk.
        case (.machine, .node): return 403
        case (.machine, .agentAPIKey): return 400
        case (.enrolmentToken, _), (.machine, _), (.sharedKey, _), (_, .nobody), (_, .enrolmentToken): return 401
        // A cookie counts where a route says so, and nowhere else.
        case (.person, .browser), (.session, .browser): return good
        case (_, .browser): return 401
        // Programs, machines and nodes are no persons, and only a person answers a program.
        case (.session, _), (.person, .agentKey), (.person, .tunnelHost), (.person, .node), (.person, .drainSecret),
            (.person, .agentAPIKey):
            return 403
        case (.person(let scopes), _):
            return sender.scopes.isSuperset(of: scopes) ? person(entry, sender, good: good) : 403
        case (.principal, .agentAPIKey): return 403
        case (.principal, .agentKey), (.principal, .node), (.principal, .drainSecret):
            return name(entry) == "POST /tokens/current/renew" ? 400 : good
        case (.principal, _): return good
        case (.scoped, .agentKey): return 403
        case (.scoped(let scopes), _):
            guard sender.scopes.isSuperset(of: scopes) else { return 403 }
            return isKnown(entry, to: sender) ? good : 404
        }
    }

    /// A person asks about themselves: the session and the second factor of the table are the first administrator's.
    private static func person(_ entry: RouteBook.Entry, _ sender: Sender, good: Int) -> Int {
        guard sender != .administrator, sender != .narrow else { return good }
        switch name(entry) {
        case "DELETE /auth/sessions/:id": return 404
        case "POST /auth/totp/confirm", "POST /auth/totp/recovery-codes", "POST /auth/totp/disable": return 409
        default: return good
        }
    }

    /// Whether what the request names exists for the sender.
    private static func isKnown(_ entry: RouteBook.Entry, to sender: Sender) -> Bool {
        let name = name(entry)
        let namesMachine =
            entry.path.contains(":agent_id")
            || [
                "POST /tunnel-keys", "GET /access/check", "POST /grants", "POST /auth/totp/reset", "POST /forward-keys",
            ].contains(name)
        switch sender {
        case .otherTenant: return !namesMachine && !entry.path.contains(":")
        // Somebody else's: the table's token is the first administrator's, its key the operator's on the host.
        case .operator, .viewer: return !["/tokens/:id", "/tunnel-keys/:id"].contains { name.hasSuffix($0) }
        default: return true
        }
    }

    /// A sender who is let in.
    static func welcome(_ entry: RouteBook.Entry) -> Sender {
        switch entry.access {
        case .anyone, .probe, .setupSecret, .sharedKey, .ticket, .page: .nobody
        case .enrolmentToken: .enrolmentToken
        case .machine: .agentKey
        case .scoped, .principal, .person, .dialect: .administrator
        case .session, .personPage: .browser
        }
    }
}
