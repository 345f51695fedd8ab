import GateClient
import GateModel
import GateSSH
import Glibc

/// Control calls through an ssh alias: one `ssh -N -L` from a private Unix socket per call, ended after it.
///
/// A Unix socket of mode 0600 and not a TCP port of this host: any local user could bind that port first, and would
/// be sent the agent key.
public struct OverSSHControl: Sendable {
    public let route: OverSSHRoute
    public let tools: SSHTools
    public let address: SSHAddress
    /// What stands at the far end, when it is not plain http at the root.
    public let url: GatewayURL?
    public let caFile: String?
    /// For ssh's own words.
    public let log: (@Sendable (String) -> Void)?

    public init(
        route: OverSSHRoute, tools: SSHTools, address: SSHAddress, url: GatewayURL?, caFile: String?,
        log: (@Sendable (String) -> Void)? = nil
    ) {
        self.route = route
        self.tools = tools
        self.address = address
        self.url = url
        self.caFile = caFile
        self.log = log
    }

    /// How long the login may take.
    static let patience = Duration.seconds(20)

    /// Opens the way, makes the call, closes the way. `identities` are tried before the alias' own keys.
    ///
    /// Throws `GatewayClientError` where the gateway answered, or where the connection died under the call; `AgentError`
    /// with words where no connection came about.
    public func call<Answer: Sendable>(
        credential: Secret<String>, identities: [String],
        _ body: @Sendable (GatewayClient) async throws -> Answer
    ) async throws -> Answer {
        let folder = try Self.makeFolder()
        defer {
            unlink(folder + "/api.sock")
            rmdir(folder)
        }
        let socket = folder + "/api.sock"
        let all = identities + SSHAlias.identities(of: route.resolved)
        let arguments = try SSHArguments.localForward(
            alias: route.alias.name, configFile: route.configFile, identities: all, localSocket: socket,
            remote: address)
        let child = try SSHChild.start(arguments, tools: tools, log: log)
        do {
            try await waitForLogin(child, identities: all)
            let client = try GatewayClient(
                endpoint: .unixSocket(socket, standingFor: url), credential: credential, trustRoots: caFile)
            let answer = try await body(client)
            await child.end()
            return answer
        } catch {
            // The reason stands in ssh's words, which come a moment after the cut: read them to the end first.
            await child.end()
            if case GatewayClientError.unreachable = error,
                let words = OverSSHDiagnosis.refusedForward(child.messages.lines, alias: route.alias, address: address)
            {
                throw AgentError.unreachable(words)
            }
            throw error
        }
    }

    private func waitForLogin(_ child: SSHChild, identities: [String]) async throws {
        let isIn = try await withThrowingTaskGroup(of: Bool?.self) { group in
            group.addTask { await child.messages.waitForLogin() }
            group.addTask {
                try await Task.sleep(for: Self.patience)
                return nil
            }
            defer { group.cancelAll() }
            let first: Bool?
            do { first = try await group.next() ?? nil } catch {
                await child.end()
                throw error
            }
            // Frees the other task, which waits for the child alone.
            if first == nil { await child.end() }
            return first
        }
        guard isIn != true else { return }
        throw AgentError.unreachable(
            isIn == nil
                ? "ssh \(route.alias) did not log in within \(Self.patience.components.seconds) s"
                : OverSSHDiagnosis.failedLogin(
                    child.messages.lines, alias: route.alias, user: route.resolved.user, identities: identities))
    }

    /// A folder of mode 0700 with a short path: a socket's path has at most 107 bytes.
    private static func makeFolder() throws(AgentError) -> String {
        var template = Array("/tmp/tidegate-agent-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw .state("no private folder can be made in /tmp: \(String(cString: strerror(errno)))")
        }
        return String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
