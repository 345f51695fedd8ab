import GateClient
import GateModel
import GateSSH
import GateWire
import Logging

/// Chooses how the agent speaks to its gateway.
public enum ControlWay {
    /// What was chosen, and the alias for the tunnel if there is one.
    public struct Chosen: Sendable {
        public let way: ControlPlane.Way
        public let route: OverSSHRoute?
    }

    /// Through the alias when one is set and known; else straight, which the endpoint has to allow.
    ///
    /// An alias that ssh knows nothing of is no reason to send a key in the clear: the endpoint is used directly only
    /// if it is https or this host's loopback.
    public static func choose(
        settings: AgentSettings, url: GatewayURL, credential: Secret<String>, tools: @autoclosure () throws -> SSHTools,
        log: Logger
    ) async throws -> Chosen {
        guard let alias = settings.overSSH else {
            return Chosen(way: try direct(settings, url, credential), route: nil)
        }
        let tools = try tools()
        guard let resolved = try await alias.resolve(configFile: settings.sshConfig, tools: tools) else {
            let file = settings.sshConfig ?? "the ssh configuration"
            let client: ControlPlane.Way
            do { client = try direct(settings, url, credential) } catch {
                throw AgentError.configuration(
                    """
                    --over-ssh: \(file) has no Host that means \(alias), and the endpoint can't be used directly: \
                    \(error)
                    """)
            }
            log.warning("\(file) has no Host that means \(alias): using \(url) directly")
            return Chosen(way: client, route: nil)
        }
        let route = OverSSHRoute(alias: alias, configFile: settings.sshConfig, resolved: resolved)
        let api = try route.api(url: url, gateway: settings.stored?.gateway)
        let control = OverSSHControl(
            route: route, tools: tools, address: api.address, url: api.url, caFile: settings.caFile
        ) { line in
            log.trace("control ssh: \(TerminalText.neutralised(line))")
        }
        return Chosen(way: .overSSH(control), route: route)
    }

    private static func direct(
        _ settings: AgentSettings, _ url: GatewayURL, _ credential: Secret<String>
    ) throws -> ControlPlane.Way {
        do {
            let endpoint = try GatewayEndpoint(url)
            return .direct(
                try GatewayClient(endpoint: endpoint, credential: credential, trustRoots: settings.caFile))
        } catch let error as RefusedURL {
            throw AgentError.configuration("\(error)")
        } catch let error as GatewayClientError {
            throw AgentError.configuration("\(error)")
        }
    }
}
