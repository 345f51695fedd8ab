public import GateControl
import GateModel
public import GateSSH

/// Everything that decides how the gateway's sshd is configured.
public struct SSHDSettings: Sendable {
    /// How sshd learns which keys may log in.
    public enum KeySource: Sendable {
        /// `AuthorizedKeysCommand`, run as `user`, asking the socket.
        case helper(path: String, socket: String, user: String)
        /// A file that the gateway rewrites: for an ordinary user without a root-owned helper.
        case file(String)
    }

    public let program: String
    public let version: OpenSSHVersion
    public let loginUser: String
    public let loginUID: UInt32
    public let runsAsRoot: Bool
    public let folder: String
    public let keySource: KeySource
    /// Where leased ports are bound; another address than 127.0.0.1 needs `GatewayPorts clientspecified`.
    public let leaseAddress: String
    /// The API as seen from the gateway: what a machine's own key line opens. Nil opens nothing.
    public let apiAddress: SSHAddress?

    public init(
        program: String, version: OpenSSHVersion, loginUser: String, loginUID: UInt32, runsAsRoot: Bool, folder: String,
        keySource: KeySource, leaseAddress: String, apiAddress: SSHAddress?
    ) {
        self.program = program
        self.version = version
        self.loginUser = loginUser
        self.loginUID = loginUID
        self.runsAsRoot = runsAsRoot
        self.folder = folder
        self.keySource = keySource
        self.leaseAddress = leaseAddress
        self.apiAddress = apiAddress
    }

    public var configurationPath: String { "\(folder)/sshd_config" }
    public var hostKeyPath: String { "\(folder)/ssh_host_ed25519_key" }

    /// The key line of a grant; nil when there is nothing it could open.
    public func line(for grant: KeyGrant) throws -> String? {
        // What is stored was checked when it came; only keys brought over with agents of another gateway may be RSA.
        let key = try SSHPublicKey(importing: grant.publicKey)
        let line: KeyLine
        switch grant.reach {
        case .reverse(let port):
            // Agents that share a key never ask the API through their tunnel: theirs opens nothing.
            line = .reverse(
                listen: try SSHAddress(host: port.address, port: port.port),
                control: grant.issue == nil ? apiAddress : nil)
        case .jump(let ports):
            line = .jump(targets: try ports.map { try SSHAddress(host: reachable($0.address), port: $0.port) })
        case .forward(let targets):
            line = .forward(targets: targets)
        case .control:
            guard let apiAddress else { return nil }
            line = .control(api: apiAddress)
        }
        return try line.text(key: key, from: grant.allowFrom, expires: grant.loginUntil, version: version)
    }

    /// A port bound to every address is reached over loopback.
    private func reachable(_ address: String) -> String {
        switch address {
        case "0.0.0.0": "127.0.0.1"
        case "::": "::1"
        default: address
        }
    }
}
