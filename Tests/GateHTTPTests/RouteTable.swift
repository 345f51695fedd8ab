import GateControl
import GateHTTP
import GateModel
import GateSSH
import GateTesting
import HTTPTypes
import HummingbirdTesting

/// What a good request to a route looks like and how it is answered.
struct GoodRequest: Sendable {
    let status: Int
    /// Nil for a route that reads no body.
    let body: (@Sendable (TestAPI) async throws -> String)?

    init(_ status: Int, _ body: (@Sendable (TestAPI) async throws -> String)? = nil) {
        self.status = status
        self.body = body
    }
}

/// Every route there may be. One that is added without a line here fails the walk over all routes.
enum RouteTable {
    static let system = ["GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.yaml"]

    /// Below `/api/v1` and `/api` alike.
    static let native: [String: GoodRequest] = [
        "POST /setup": GoodRequest(201) { api in #"{"secret":"\#(try await api.setup.makeSecret().reveal())"}"# },
        "GET /whoami": GoodRequest(200),
        "GET /gateway": GoodRequest(200),
        "POST /tokens": GoodRequest(201) { _ in #"{"label":"ci"}"# },
        "GET /tokens": GoodRequest(200),
        "DELETE /tokens/:id": GoodRequest(204),
        "GET /connections": GoodRequest(200),
        "POST /machines": GoodRequest(201) { _ in #"{"name":"db","tags":["a"],"enrolment_ttl":60}"# },
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
            #"{"public_key":"\#(try SampleKeys.publicKey(22).line)","machines":["web"]}"#
        },
        "GET /tunnel-keys": GoodRequest(200),
        "GET /tunnel-keys/:id": GoodRequest(200),
        "DELETE /tunnel-keys/:id": GoodRequest(204),
        "GET /audit/events": GoodRequest(200),
        "POST /imports/ssh-tunnel-gateway": GoodRequest(200) { _ in
            let key = try SampleKeys.publicKey(23).line
            return
                #"{"agents":[{"agent_id":"old","port":20050,"public_key":"\#(key)","last_seen_at":"2026-01-01T00:00:00Z","lease_expires_at":"2999-01-01T00:00:00Z"}]}"#
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

    static func good(_ entry: RouteBook.Entry) -> GoodRequest? {
        system.contains("\(entry.method) \(entry.path)") ? GoodRequest(200) : native[name(entry)]
    }

    /// The status of a good request but for its sender.
    static func status(_ entry: RouteBook.Entry, _ sender: Sender, good: Int) -> Int {
        switch (entry.access, sender) {
        // A credential that is given must be one, also where none is needed.
        case (_, .malformed), (_, .unknown), (_, .revoked): 401
        case (.anyone, _), (.setupSecret, _): good
        case (.enrolmentToken, .enrolmentToken): good
        case (.machine, .agentKey): good
        case (.administrator, .administrator): good
        case (.administrator, .agentKey): 403
        case (.principal, .agentKey), (.principal, .administrator): good
        case (.enrolmentToken, _), (.machine, _), (.administrator, _), (.principal, _), (.sharedKey, _): 401
        }
    }

    /// A sender who is let in.
    static func welcome(_ entry: RouteBook.Entry) -> Sender {
        switch entry.access {
        case .anyone, .setupSecret, .sharedKey: .nobody
        case .enrolmentToken: .enrolmentToken
        case .machine: .agentKey
        case .administrator, .principal: .administrator
        }
    }
}
