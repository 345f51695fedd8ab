import GateClient
import GateModel
import GateProcess
import GateSSH
import Glibc

/// The agent's files below a root folder: `/`, or a tree that becomes an image or a package.
public struct AgentInstallation: Sendable {
    /// Empty for `/`, else without a slash at its end.
    public let root: String

    /// `path` is absolute; `/` means this system.
    public init(root path: String) {
        var root = path
        while root.hasSuffix("/") { root.removeLast() }
        self.root = root
    }

    public var isThisSystem: Bool { root.isEmpty }
    public var unitFile: String { root + "/etc/systemd/system/tidegate-agent.service" }
    public var environmentFile: String { root + "/etc/tidegate/agent.env" }
    public var sshdFile: String { root + "/etc/ssh/sshd_config.d/60-tidegate-agent.conf" }
    public var stateDirectory: String { root + "/var/lib/tidegate-agent" }

    /// Whether the unit is there, ours or a package's.
    public var isInstalled: Bool { access(unitFile, F_OK) == 0 }

    /// Writes unit and environment file, and sshd's drop-in when asked. An environment file that is there is kept: it
    /// is the operator's. Returns what was written.
    public func install(
        program: String, user: LoginName, target: SSHTarget?, exemptsLoopback: Bool
    ) throws(AgentError) -> [String] {
        // systemd splits at blanks and expands % and $.
        guard program.hasPrefix("/"), program.utf8.allSatisfy(Self.isPlain) else {
            throw .configuration("--program: the unit needs an absolute path of letters, digits and . _ / + -")
        }
        var written: [String] = []
        try write(AgentUnit.unit(program: program, user: user.rawValue), to: unitFile, mode: 0o644, into: &written)
        if access(environmentFile, F_OK) != 0 {
            try write(
                AgentUnit.environment(target: target?.text), to: environmentFile, mode: 0o600, into: &written)
        }
        if exemptsLoopback { try write(AgentUnit.sshdDropIn, to: sshdFile, mode: 0o644, into: &written) }
        return written
    }

    /// Removes what `install` wrote and nobody changed; with `purge` the environment file and the state directory
    /// whatever is in them. Returns what was removed, and what was kept and why.
    public func uninstall(purge: Bool) throws(AgentError) -> (removed: [String], kept: [String]) {
        var removed: [String] = []
        var kept: [String] = []
        for path in [unitFile, sshdFile] {
            guard let text = try? BoundedFile.text(path) else { continue }
            if text.hasPrefix(AgentUnit.mark) {
                try remove(path, into: &removed)
            } else {
                kept.append("\(path): not written by `tidegate-agent install`")
            }
        }
        if let text = try? BoundedFile.text(environmentFile) {
            if purge || isUntouched(text) {
                try remove(environmentFile, into: &removed)
            } else {
                kept.append("\(environmentFile): holds your settings (--purge removes it)")
            }
        }
        if purge {
            try removeState(into: &removed)
        } else if access(stateDirectory, F_OK) == 0 {
            kept.append("\(stateDirectory): holds this machine's key (--purge removes it)")
        }
        // Only ours, only when empty; rmdir decides.
        rmdir(root + "/etc/tidegate")
        return (removed, kept)
    }

    private func isUntouched(_ text: String) -> Bool {
        if text == AgentUnit.environment(target: nil) { return true }
        let line = text.split(separator: "\n").first { $0.hasPrefix("TIDEGATE_AGENT_TARGET=") }
        guard let target = line?.dropFirst("TIDEGATE_AGENT_TARGET=".count) else { return false }
        return text == AgentUnit.environment(target: String(target))
    }

    private func write(_ text: String, to path: String, mode: UInt32, into list: inout [String]) throws(AgentError) {
        if let present = try? BoundedFile.text(path) {
            if present == text { return }
            guard present.hasPrefix(AgentUnit.mark) else {
                throw .state("\(path) is there and was not written by `tidegate-agent install`: move it away first")
            }
        }
        guard let slash = path.lastIndex(of: "/") else { throw .state("\(path) is no absolute path") }
        try makeFolder(String(path[..<slash]))
        do { try PrivateFile.write(text, to: path, mode: mode) } catch { throw .state("\(error)") }
        list.append(path)
    }

    /// Folders of the system, so open to all: not the agent's own.
    private func makeFolder(_ path: String) throws(AgentError) {
        var built = ""
        for part in path.split(separator: "/") {
            built += "/" + part
            if mkdir(built, 0o755) != 0, errno != EEXIST, access(built, F_OK) != 0 {
                throw .state("\(built): \(String(cString: strerror(errno)))")
            }
        }
    }

    private func remove(_ path: String, into list: inout [String]) throws(AgentError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw .state("\(path): \(String(cString: strerror(errno)))") }
        list.append(path)
    }

    /// The files an agent makes, by name: never a folder with whatever somebody else put there.
    private func removeState(into list: inout [String]) throws(AgentError) {
        let state = StateDirectory(path: stateDirectory)
        guard access(state.path, F_OK) == 0 else { return }
        guard !state.isLocked else { throw .busy("the agent still runs: `systemctl stop tidegate-agent` first") }
        for entry in KeyRing(folder: state.keyFolder).entries() {
            unlink(entry.path)
            unlink(entry.path + ".pub")
        }
        rmdir(state.keyFolder)
        for path in [
            state.agentKeyFile, state.agentFile, state.sessionFile, state.knownHosts, state.processFile, state.lockFile,
        ] {
            unlink(path)
        }
        guard rmdir(state.path) == 0 else { throw .state("\(state.path) holds files that are not the agent's") }
        list.append(state.path)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || "._/+-".utf8.contains(byte)
    }
}

/// What an installation on this very system needs beside files.
public enum AgentSystem {
    /// The version of this machine's sshd, by its own words; nil when there is none.
    public static func sshdVersion() async -> OpenSSHVersion? {
        for path in ["/usr/sbin/sshd", "/usr/local/sbin/sshd"] where access(path, X_OK) == 0 {
            // No sshd knows `-V` for certain before 9.3; all print their version when an option is unknown.
            guard let result = try? await ProcessRun.run(path, arguments: ["-V"]) else { continue }
            let text = String(decoding: result.error + result.output, as: UTF8.self)
            for line in text.split(whereSeparator: \.isNewline) {
                if let version = OpenSSHVersion(parsing: line) { return version }
            }
        }
        return nil
    }

    /// Makes the service's user when there is none: no home of its own, no shell.
    public static func makeUser(_ name: LoginName, home: String) async throws(AgentError) -> Bool {
        guard UserAccount(name: name.rawValue) == nil else { return false }
        let arguments = [
            "--system", "--user-group", "--no-create-home", "--home-dir", home, "--shell", "/usr/sbin/nologin",
            "--", name.rawValue,
        ]
        let result: ProcessRun.Output
        do { result = try await ProcessRun.run("/usr/sbin/useradd", arguments: arguments) } catch {
            throw .state("the user \(name) can't be made: \(error)")
        }
        guard result.status.isSuccess else {
            throw .state("useradd \(name): \(String(decoding: result.error, as: UTF8.self))")
        }
        return true
    }

    /// `systemctl WORDS`, where systemd runs; false when it does not, or says no.
    public static func systemctl(_ words: [String]) async -> Bool {
        guard access("/run/systemd/system", F_OK) == 0 else { return false }
        for path in ["/usr/bin/systemctl", "/bin/systemctl"] where access(path, X_OK) == 0 {
            let result = try? await ProcessRun.run(path, arguments: words, timeout: .seconds(30))
            return result?.status.isSuccess ?? false
        }
        return false
    }
}
