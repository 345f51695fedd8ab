import FoundationEssentials
import GateClient
import GateModel
import GateProcess
import GateSSH
import Glibc

/// The agent's folder, mode 0700: its key, what it knows of its gateway, and its present session.
public struct StateDirectory: Sendable, Hashable {
    public let path: String

    public init(path: String) { self.path = path }

    /// `/var/lib/tidegate-agent` for root, else below `$XDG_STATE_HOME` or `~/.local/state`; nil without a home.
    public static func standard(environment: [String: String], userID: UInt32 = geteuid()) -> String? {
        if userID == 0 { return "/var/lib/tidegate-agent" }
        if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") { return state + "/tidegate-agent" }
        if let home = environment["HOME"], home.hasPrefix("/") { return home + "/.local/state/tidegate-agent" }
        return nil
    }

    public var agentKeyFile: String { path + "/agent.key" }
    public var agentFile: String { path + "/agent.json" }
    public var sessionFile: String { path + "/session.json" }
    public var keyFolder: String { path + "/keys" }
    public var knownHosts: String { path + "/known_hosts" }
    public var processFile: String { path + "/ssh.pid" }
    public var lockFile: String { path + "/lock" }

    /// Makes the folder and keeps every other agent out of it until the lock is released.
    ///
    /// Two agents on one folder would each raise the generation and end the other's tunnel, for ever.
    public func lock() throws(AgentError) -> FileLock {
        do { try PrivateFile.makeFolder(path) } catch { throw .state("\(error)") }
        do { return try FileLock(path: lockFile) } catch let error as SystemError where error.code == EWOULDBLOCK {
            throw .busy("another tidegate-agent runs with the state directory \(path): stop it, or name another one")
        } catch {
            throw .state("\(error)")
        }
    }

    /// Whether an agent runs here now.
    public var isLocked: Bool {
        guard access(lockFile, F_OK) == 0 else { return false }
        do { _ = try FileLock(path: lockFile) } catch let error as SystemError {
            return error.code == EWOULDBLOCK
        } catch {
            return false
        }
        return false
    }

    /// What enrolment stored; nil when this machine was never enrolled here.
    public func agent() throws(AgentError) -> AgentFile? { try read(AgentFile.self, from: agentFile) }

    public func store(_ agent: AgentFile) throws(AgentError) { try write(agent, to: agentFile) }

    /// The session of the last registration.
    public func session() throws(AgentError) -> SessionFile? { try read(SessionFile.self, from: sessionFile) }

    public func store(_ session: SessionFile) throws(AgentError) { try write(session, to: sessionFile) }

    /// The machine's own key; nil before enrolment.
    public func agentKey() throws(AgentError) -> Secret<String>? {
        do {
            guard let text = try BoundedFile.secret(agentKeyFile) else {
                throw AgentError.state("\(agentKeyFile) holds no key: enrol this machine again")
            }
            return Secret(text)
        } catch let error as BoundedFile.Fault {
            if error.isMissing { return nil }
            throw .state("\(error)")
        } catch let error as AgentError {
            throw error
        } catch {
            throw .state("\(error)")
        }
    }

    public func store(agentKey: Secret<String>) throws(AgentError) {
        do { try PrivateFile.write(Secret(agentKey.reveal() + "\n"), to: agentKeyFile) } catch {
            throw .state("\(error)")
        }
    }

    func read<Value: Decodable>(_ type: Value.Type, from path: String) throws(AgentError) -> Value? {
        let text: String
        do { text = try BoundedFile.text(path) } catch {
            if error.isMissing { return nil }
            throw .state("\(error)")
        }
        guard let value = try? JSONDecoder().decode(Value.self, from: Data(text.utf8)) else {
            throw .state("\(path) is damaged: remove it, then enrol this machine again")
        }
        return value
    }

    func write(_ value: some Encodable, to path: String) throws(AgentError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        do { try PrivateFile.write([UInt8](try encoder.encode(value)) + [UInt8(ascii: "\n")], to: path) } catch {
            throw .state("\(error)")
        }
    }
}
