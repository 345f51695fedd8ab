import GateClient
import GateModel
import GateSSH
import Glibc

/// What was said on the command line; nil for what was not.
public struct AgentFlags: Sendable, Equatable {
    public var stateDirectory: String?
    public var target: String?
    public var agentID: String?
    public var sshHost: String?
    public var sshPort: String?
    public var sshConfig: String?
    public var overSSH: String?
    public var caFile: String?
    public var url: String?

    public init() {}
}

/// The agent's settings: flags before environment before what enrolment stored before defaults. A malformed value
/// stops the start, named by the flag or variable it came from.
public struct AgentSettings: Sendable {
    public let state: StateDirectory
    /// The gateway's URL as written; nil before enrolment.
    public let url: GatewayURL?
    public let target: SSHTarget
    public let agentID: AgentID?
    public let sshHost: String?
    public let sshPort: Int?
    public let sshConfig: String?
    public let overSSH: SSHAlias?
    public let caFile: String?
    public let stored: AgentFile?

    /// Reads the state directory's `agent.json` for what neither flags nor environment say.
    public init(flags: AgentFlags, environment: [String: String], userID: UInt32 = geteuid()) throws(AgentError) {
        let source = Source(environment: environment)
        let folder = source.pick(flags.stateDirectory, "--state-dir", "TIDEGATE_AGENT_STATE_DIR")
        guard
            let path = try folder.map({ value throws(AgentError) in try Self.absolute(value) })
                ?? StateDirectory.standard(environment: environment, userID: userID)
        else { throw .configuration("no state directory: give --state-dir or TIDEGATE_AGENT_STATE_DIR") }
        state = StateDirectory(path: path)
        let stored = try state.agent()
        self.stored = stored

        let url = source.pick(flags.url, "URL", "TIDEGATE_URL") ?? stored.map { Setting($0.url, "agent.json") }
        self.url = try url.map { setting throws(AgentError) in
            do { return try GatewayURL(setting.value) } catch { throw setting.fault("\(error)") }
        }
        let target =
            source.pick(flags.target, "--target", "TIDEGATE_AGENT_TARGET")
            ?? stored?.target.map { Setting($0, "agent.json") } ?? Setting("127.0.0.1:22", "default")
        do { self.target = try SSHTarget(parsing: target.value) } catch { throw target.fault("\(error)") }
        agentID = try source.pick(flags.agentID, "--agent-id", "TIDEGATE_AGENT_ID", "TIDEGATE_AGENT_AGENT_ID").map {
            setting throws(AgentError) in
            guard let id = AgentID(rawValue: setting.value) else {
                throw setting.fault("an agent id is \(AgentID.rule)")
            }
            return id
        }
        sshPort = try source.pick(flags.sshPort, "--ssh-port", "TIDEGATE_AGENT_SSH_PORT").map {
            setting throws(AgentError) in
            guard let port = Int(setting.value), (1...65_535).contains(port) else {
                throw setting.fault("a port is a number from 1 to 65535")
            }
            return port
        }
        sshHost = try source.pick(flags.sshHost, "--ssh-host", "TIDEGATE_AGENT_SSH_HOST").map {
            setting throws(AgentError) in
            do { return try SSHTarget(host: setting.value, port: 22).host } catch { throw setting.fault("\(error)") }
        }
        let config =
            source.pick(flags.sshConfig, "--ssh-config", "TIDEGATE_AGENT_SSH_CONFIG")
            ?? stored?.sshConfig.map { Setting($0, "agent.json") }
        sshConfig = try config.map { setting throws(AgentError) in
            let path = try Self.absolute(setting)
            guard access(path, R_OK) == 0 else { throw setting.fault("\(path) can't be read") }
            return path
        }
        let alias =
            source.pick(flags.overSSH, "--over-ssh", "TIDEGATE_AGENT_OVER_SSH")
            ?? stored?.overSSH.map { Setting($0, "agent.json") }
        overSSH = try alias.map { setting throws(AgentError) in try SSHAlias(setting.value, setting: setting.name) }
        let ca =
            source.pick(flags.caFile, "--ca-file", "TIDEGATE_AGENT_CA_FILE", "TIDEGATE_CA_FILE")
            ?? stored?.caFile.map { Setting($0, "agent.json") }
        caFile = try ca.map { setting throws(AgentError) in try Self.absolute(setting) }
    }

    /// The agent key from the environment, else from the state directory.
    public func agentKey(environment: [String: String]) throws(AgentError) -> Secret<String> {
        if let text = environment["TIDEGATE_AGENT_KEY"], !text.isEmpty {
            guard let key = BoundedFile.word(text) else { throw .configuration("TIDEGATE_AGENT_KEY holds no key") }
            return Secret(key)
        }
        if let path = environment["TIDEGATE_AGENT_KEY_FILE"], !path.isEmpty {
            do {
                if let key = try BoundedFile.secret(path) { return Secret(key) }
            } catch {
                throw .configuration("TIDEGATE_AGENT_KEY_FILE: \(error)")
            }
            throw .configuration("TIDEGATE_AGENT_KEY_FILE: \(path) holds no single key")
        }
        guard let key = try state.agentKey() else {
            throw .configuration(
                """
                this machine is not enrolled (no key in \(state.path)). On the gateway run `tidegate machine add NAME`, \
                then here `tidegate-agent enrol URL`
                """)
        }
        return key
    }

    private static func absolute(_ setting: Setting) throws(AgentError) -> String {
        guard !setting.value.utf8.contains(0) else { throw setting.fault("a path holds no NUL") }
        if setting.value.hasPrefix("/") { return setting.value }
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard getcwd(&buffer, buffer.count) != nil else { throw setting.fault("the path has to be absolute") }
        let here = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return here + "/" + setting.value
    }
}

/// One value and where it came from.
struct Setting: Sendable {
    let value: String
    let name: String

    init(_ value: String, _ name: String) {
        self.value = value
        self.name = name
    }

    func fault(_ words: String) -> AgentError { .configuration("\(name): \(words)") }
}

private struct Source {
    let environment: [String: String]

    /// An empty variable counts as unset: that is how a unit's environment file switches one off.
    func pick(_ flag: String?, _ flagName: String, _ variables: String...) -> Setting? {
        if let flag { return Setting(flag, flagName) }
        for name in variables {
            if let value = environment[name], !value.isEmpty { return Setting(value, name) }
        }
        return nil
    }
}
