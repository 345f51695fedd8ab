import GateClient
import GateSSH
import GateWire

/// How control calls and the tunnel go through an ssh alias.
public struct OverSSHRoute: Sendable {
    public let alias: SSHAlias
    public let configFile: String?
    public let resolved: SSHResolvedConfig

    public init(alias: SSHAlias, configFile: String?, resolved: SSHResolvedConfig) {
        self.alias = alias
        self.configFile = configFile
        self.resolved = resolved
    }

    /// The port the gateway's API listens on when nobody says otherwise.
    static let usualPort = 12_000

    /// Where the API is as seen from the far end of the alias, and what stands there.
    ///
    /// The URL's host is not used, its port is. A URL without a port names a proxy in front of the API, which the far
    /// end has no need of: there it is the address the gateway gave, else 127.0.0.1:12000, in plain http inside ssh.
    public func api(url: GatewayURL, gateway: GatewayBody?) throws(AgentError) -> (
        address: SSHAddress, url: GatewayURL?
    ) {
        let known = gateway?.apiAddress.flatMap { try? SSHAddress(parsing: $0) }
        let isOwnGateway = gateway.map { resolved.user == $0.sshUser } ?? false
        do {
            // Our own key's line opens the API's address and nothing else.
            if let known, isOwnGateway || !url.namesPort {
                return (known, url.namesPort && url.port == known.port ? url : nil)
            }
            let port = url.namesPort ? url.port : Self.usualPort
            return (try SSHAddress(host: "127.0.0.1", port: port), url.namesPort ? url : nil)
        } catch {
            throw .configuration("\(error)")
        }
    }

    /// The tunnel's arguments. Where the alias logs in as the gateway's own ssh user, it is the tunnel's destination;
    /// else it is another account of that host, and only the way to the gateway's sshd: `-R` under a person's own key
    /// would bind whatever it likes there, and no revocation of ours would reach it.
    public func tunnel(
        identity: String, knownHosts: String, gateway: GatewayBody, listen: SSHAddress, target: SSHTarget,
        ssh: String, attempt: Int
    ) throws(AgentError) -> [String] {
        let pin = SSHArguments.Pin(knownHosts: knownHosts, hostKeyAlias: GatewayPin.alias(of: gateway))
        do {
            if resolved.user == gateway.sshUser {
                let arguments = try SSHArguments.reverseTunnel(
                    alias: alias.name, configFile: configFile, identity: identity, listen: listen, target: target.text,
                    pin: pin)
                return ["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"] + arguments
            }
            return try SSHArguments.reverseTunnel(
                identity: identity, knownHosts: knownHosts, hostKeyAlias: pin.hostKeyAlias,
                gatewayHost: gateway.sshHost, gatewayPort: gateway.sshPort, user: gateway.sshUser, listen: listen,
                target: target.text, proxyCommand: try proxyCommand(ssh: ssh, gateway: gateway, attempt: attempt))
        } catch let error as AgentError {
            throw error
        } catch {
            throw .configuration("\(error)")
        }
    }

    /// `ssh -W` through the alias to the gateway's sshd: by its public address, and on every second attempt by the
    /// loopback of the alias' host, for a gateway that can't reach itself from outside.
    package func proxyCommand(ssh: String, gateway: GatewayBody, attempt: Int) throws(AgentError) -> String {
        do {
            let host = attempt % 2 == 0 ? gateway.sshHost : "127.0.0.1"
            let target = try SSHTarget(host: host, port: gateway.sshPort)
            let config = configFile.map { ["-F", $0] } ?? []
            return try SSHConfigText.command(
                [ssh] + config + [
                    "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=10",
                    "-o", "ServerAliveCountMax=3", "-o", "ClearAllForwardings=yes", "-o", "ControlMaster=no",
                    "-o", "ControlPath=none", "-W", target.text, "--", alias.name,
                ])
        } catch {
            throw .configuration("\(error)")
        }
    }
}

/// Under which name the gateway's host keys are pinned: its id, so that neither a new address nor another gateway
/// behind the same address is taken for it.
public enum GatewayPin {
    public static func alias(of gateway: GatewayBody) -> String { "\(gateway.id).gateway.tidegate" }

    /// The text of a known_hosts file that holds this gateway's keys and no others; throws when it gave none.
    public static func knownHosts(_ gateway: GatewayBody) throws(AgentError) -> String {
        let keys = gateway.sshHostKeys.compactMap { try? SSHHostKey(parsing: $0) }
        guard !keys.isEmpty else { throw .refused("the gateway names no ssh host key, so it can't be recognised") }
        do { return try KnownHosts.file(keys.map { ([alias(of: gateway)], $0) }) } catch {
            throw .refused("the gateway's id can't be pinned: \(error)")
        }
    }
}
