/// Paths of the native API, below the gateway's address.
public enum APIPath {
    public static let root = "/api/v1"
    public static let setup = "/api/v1/setup"
    public static let whoAmI = "/api/v1/whoami"
    public static let gateway = "/api/v1/gateway"
    public static let machines = "/api/v1/machines"
    public static let tunnelKeys = "/api/v1/tunnel-keys"
    public static let proxies = "/api/v1/proxies"
    public static let forwardKeys = "/api/v1/forward-keys"
    public static let tokens = "/api/v1/tokens"
    public static let renewToken = "/api/v1/tokens/current/renew"
    public static let forgetNodeTokens = "/api/v1/node-tokens/forget"
    public static let users = "/api/v1/users"
    public static let tenants = "/api/v1/tenants"
    public static let grants = "/api/v1/grants"
    public static let accessCheck = "/api/v1/access/check"
    public static let connections = "/api/v1/connections"
    public static let auditEvents = "/api/v1/audit/events"
    public static let auditStream = "/api/v1/audit/stream"
    public static let webSocketTicket = "/api/v1/auth/ws-ticket"
    public static let importSSHTunnelGateway = "/api/v1/imports/ssh-tunnel-gateway"
    public static let passwordLogin = "/api/v1/auth/password-login"
    public static let logout = "/api/v1/auth/logout"
    public static let authStatus = "/api/v1/auth/status"
    public static let sessions = "/api/v1/auth/sessions"
    public static let password = "/api/v1/auth/password"
    public static let totp = "/api/v1/auth/totp"
    public static let device = "/api/v1/auth/device"
    public static let enrol = "/api/v1/agent/enrol"
    public static let register = "/api/v1/agent/register"
    public static let heartbeat = "/api/v1/agent/heartbeat"

    public static func machine(_ agentID: String) -> String { "\(machines)/\(agentID)" }
    public static func enrolments(of agentID: String) -> String { "\(machine(agentID))/enrolments" }
    public static func agentKeys(of agentID: String) -> String { "\(machine(agentID))/keys" }
    public static func tunnelKey(_ id: String) -> String { "\(tunnelKeys)/\(id)" }
    public static func proxy(_ name: String) -> String { "\(proxies)/\(name)" }
    public static func user(_ name: String) -> String { "\(users)/\(name)" }
    public static func identities(of name: String) -> String { "\(user(name))/identities" }
    public static func grant(_ id: String) -> String { "\(grants)/\(id)" }
    public static func token(_ id: String) -> String { "\(tokens)/\(id)" }
}
