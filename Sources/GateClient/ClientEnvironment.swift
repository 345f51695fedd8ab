public import GateModel
import Glibc

/// Finds the gateway and the credential a command works with: flags before environment before what was stored before
/// the gateway of this very host.
public struct ClientEnvironment: Sendable {
    /// The process' variables, secrets included.
    public let variables: [String: String]
    /// The effective user.
    public let userID: UInt32

    public init(variables: [String: String], userID: UInt32 = geteuid()) {
        self.variables = variables
        self.userID = userID
    }

    /// What a command needs to ask a gateway.
    public struct Resolved: Sendable {
        /// Where the endpoint came from.
        public enum Origin: String, Sendable { case flag, environment, stored, local }

        public let endpoint: GatewayEndpoint
        public let credential: Secret<String>?
        public let caFile: String?
        public let origin: Origin

        public init(endpoint: GatewayEndpoint, credential: Secret<String>?, caFile: String?, origin: Origin) {
            self.endpoint = endpoint
            self.credential = credential
            self.caFile = caFile
            self.origin = origin
        }

        public func client(timeout: GatewayClient.Timeout = .init()) throws(GatewayClientError) -> GatewayClient {
            try GatewayClient(endpoint: endpoint, credential: credential, trustRoots: caFile, timeout: timeout)
        }
    }

    /// The state directory of `tidegate serve` when nobody says otherwise; nil for a user without a home.
    public var gatewayStateDirectory: String? {
        if let path = variables["TIDEGATE_STATE_DIR"], !path.isEmpty { return path }
        if userID == 0 { return "/var/lib/tidegate" }
        if let path = variables["XDG_STATE_HOME"], path.hasPrefix("/") { return path + "/tidegate" }
        if let home = variables["HOME"], home.hasPrefix("/") { return home + "/.local/state/tidegate" }
        return nil
    }

    /// Finds gateway and credential; errors say what to do next. `needsCredential` is false for what anyone may ask.
    public func resolve(
        url flag: String? = nil, caFile: String? = nil, needsCredential: Bool = true
    ) throws(ClientSetupError) -> Resolved {
        let home = ClientHome(environment: variables)
        let stored = try home?.credentials() ?? StoredCredentials()
        let fromEnvironment = named("TIDEGATE_URL")
        let token = try environmentToken()
        let text = flag ?? fromEnvironment ?? stored.current
        if text == nil, token == nil, let local = try localSocket() { return local }
        // A token alone means the gateway `tidegate serve` makes by default.
        guard let text = text ?? (token == nil ? nil : "http://127.0.0.1:12000") else {
            throw ClientSetupError(
                """
                no gateway is known. Give --url or TIDEGATE_URL with TIDEGATE_TOKEN (or TIDEGATE_TOKEN_FILE), \
                or run this on the gateway's host as the user that runs `tidegate serve`
                """)
        }
        let endpoint = try Self.endpoint(
            text, named: flag != nil ? "--url" : fromEnvironment != nil ? "TIDEGATE_URL" : nil)
        let entry = stored.gateways[endpoint.description] ?? stored.gateways[text]
        let credential = token ?? entry.map { Secret($0.token) }
        guard credential != nil || !needsCredential else {
            throw ClientSetupError(
                "no token is known for \(endpoint). Set TIDEGATE_TOKEN or TIDEGATE_TOKEN_FILE, or log in to it first")
        }
        return Resolved(
            endpoint: endpoint, credential: credential, caFile: caFile ?? named("TIDEGATE_CA_FILE") ?? entry?.caFile,
            origin: flag != nil
                ? .flag : fromEnvironment != nil ? .environment : text == stored.current ? .stored : .local)
    }

    private static func endpoint(_ text: String, named key: String?) throws(ClientSetupError) -> GatewayEndpoint {
        do { return try GatewayEndpoint(text) } catch {
            throw ClientSetupError(key.map { "\($0): \(error)" } ?? "\(error)")
        }
    }

    /// An empty variable counts as unset: that is how a unit file switches one off.
    private func named(_ name: String) -> String? {
        guard let value = variables[name], !value.isEmpty else { return nil }
        return value
    }

    private func environmentToken() throws(ClientSetupError) -> Secret<String>? {
        if let text = named("TIDEGATE_TOKEN") {
            guard let token = BoundedFile.word(text) else { throw ClientSetupError("TIDEGATE_TOKEN holds no token") }
            return Secret(token)
        }
        guard let path = named("TIDEGATE_TOKEN_FILE") else { return nil }
        do {
            guard let token = try BoundedFile.secret(path) else {
                throw ClientSetupError("TIDEGATE_TOKEN_FILE: \(path) holds no single token")
            }
            return Secret(token)
        } catch let error as BoundedFile.Fault {
            throw ClientSetupError("TIDEGATE_TOKEN_FILE: \(error)")
        } catch let error as ClientSetupError {
            throw error
        } catch {
            throw ClientSetupError("TIDEGATE_TOKEN_FILE: \(error)")
        }
    }

    /// The gateway of this host, for whoever may read its secret: the same user, or root.
    private func localSocket() throws(ClientSetupError) -> Resolved? {
        guard let folder = gatewayStateDirectory else { return nil }
        let socket = folder + "/admin.sock"
        do {
            guard let secret = try BoundedFile.secret(folder + "/admin.secret") else {
                throw ClientSetupError("\(folder)/admin.secret is empty: is `tidegate serve` starting?")
            }
            return Resolved(
                endpoint: .unixSocket(socket), credential: Secret(secret), caFile: nil, origin: .local)
        } catch let error as BoundedFile.Fault {
            if error.isMissing { return nil }
            throw ClientSetupError("the gateway of this host can't be asked (\(error)): use sudo, or TIDEGATE_URL")
        } catch let error as ClientSetupError {
            throw error
        } catch {
            return nil
        }
    }
}
