public import GateModel
public import GateSSH

/// What a proxy is to be.
public struct ProxyWish: Sendable {
    public enum HostKey: Sendable {
        /// Somebody says that this is the right one.
        case given(SSHHostKey)
        /// Whatever the network says now: nobody has confirmed it.
        case scanned
    }

    /// Another host and its login; nil: this gateway's own sshd.
    public let place: (host: SSHTarget, login: LoginName, hostKey: HostKey)?
    public let target: SSHTarget
    public let isActive: Bool

    public init(
        place: (host: SSHTarget, login: LoginName, hostKey: HostKey)?, target: SSHTarget, isActive: Bool = true
    ) {
        self.place = place
        self.target = target
        self.isActive = isActive
    }
}

/// Changes of a proxy; nil leaves a field as it is.
public struct ProxyPatch: Sendable {
    public var host: String?
    public var port: Int?
    public var login: LoginName?
    public var targetHost: String?
    public var targetPort: Int?

    public init(
        host: String? = nil, port: Int? = nil, login: LoginName? = nil, targetHost: String? = nil,
        targetPort: Int? = nil
    ) {
        self.host = host
        self.port = port
        self.login = login
        self.targetHost = targetHost
        self.targetPort = targetPort
    }
}

/// The gateway's own sshd, as a proxy.
public struct OwnSSHD: Sendable {
    public let host: String
    public let port: Int
    public let login: String
    /// `type base64`.
    public let hostKey: String

    public init(host: String, port: Int, login: String, hostKey: String) {
        self.host = host
        self.port = port
        self.login = login
        self.hostKey = hostKey
    }
}
