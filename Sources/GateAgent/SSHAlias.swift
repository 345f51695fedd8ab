import GateProcess
import GateSSH
import Glibc

/// A `Host` of somebody's ssh configuration, used as it stands.
public struct SSHAlias: Sendable, Hashable, CustomStringConvertible {
    public let name: String

    /// Letters, digits, `_`, `.` and `-`, first a letter, digit or `_`: never an option, a second word, `user@host` or
    /// a pattern. Throws words that name the setting.
    public init(_ name: String, setting: String = "--over-ssh") throws(AgentError) {
        let isWord = name.utf8.allSatisfy { isLetterOrDigit($0) || "_.-".utf8.contains($0) }
        guard (1...255).contains(name.utf8.count), isWord, let first = name.utf8.first, !"-.".utf8.contains(first)
        else {
            throw .configuration(
                "\(setting): an alias is one name of the ssh configuration: letters, digits, '_', '.' and '-'")
        }
        self.name = name
    }

    public var description: String { name }

    /// What ssh makes of the alias, or nil when the configuration says nothing of it.
    ///
    /// `ssh -G` answers for any name, so it is asked for one that nobody has as well: where the two answers differ in
    /// nothing but the name, no `Host` or `Match` line meant the alias. Include files and patterns are ssh's own matter
    /// that way. Throws when ssh refuses the configuration.
    public func resolve(configFile: String?, tools: SSHTools) async throws(AgentError) -> SSHResolvedConfig? {
        let nobody = "tidegate-no-such-host-" + String(UInt64.random(in: .min ... .max), radix: 36)
        let own = try await ask(name, configFile: configFile, tools: tools)
        let other = try await ask(nobody, configFile: configFile, tools: tools)
        guard Self.isKnown(name, answer: own, nobody: nobody, answerForNobody: other) else { return nil }
        do { return try SSHResolvedConfig(parsing: own) } catch {
            throw .unreachable("ssh -G \(name): \(error)")
        }
    }

    /// Whether two outputs of `ssh -G` differ in more than the name asked for.
    package static func isKnown(
        _ name: String, answer: String, nobody: String, answerForNobody: String
    ) -> Bool {
        func facts(_ text: String, of asked: String) -> [String] {
            text.split(whereSeparator: \.isNewline).compactMap { line in
                let words = line.split(separator: " ", maxSplits: 1)
                guard words.count == 2, words[0] != "host" else { return nil }
                // A value made of the name (`HostName %h`) stands for the name. Whole values only: a short alias may
                // happen to be part of an unrelated one.
                return words[1].lowercased() == asked.lowercased() ? "\(words[0]) <name>" : String(line)
            }
        }
        let own = facts(answer, of: name)
        let other = facts(answerForNobody, of: nobody)
        // A catch-all `Host *` with a HostName answers for every name, and so for this one too.
        return own != other || !own.contains("hostname <name>")
    }

    private func ask(_ name: String, configFile: String?, tools: SSHTools) async throws(AgentError) -> String {
        let arguments = (configFile.map { ["-F", $0] } ?? []) + ["-G", "--", name]
        let result: ProcessRun.Output
        do {
            result = try await ProcessRun.run(
                tools.ssh, arguments: arguments, environment: tools.environment, timeout: .seconds(10))
        } catch {
            throw .unreachable("ssh -G \(self.name) gave no answer: \(error)")
        }
        guard result.status.isSuccess else {
            let words = SSHMessages.last(of: String(decoding: result.error, as: UTF8.self))
            throw .configuration("ssh refuses the configuration for \(self.name): \(words ?? "no reason given")")
        }
        return String(decoding: result.output, as: UTF8.self)
    }

    /// The private keys ssh would offer by itself and that exist: naming one with `-i` makes it forget the usual ones.
    static func identities(of resolved: SSHResolvedConfig) -> [String] {
        let home = UserAccount.current?.home ?? "/"
        return resolved.identityFiles.compactMap { file in
            let path = file.hasPrefix("~/") ? home + file.dropFirst() : file
            guard path.hasPrefix("/"), !path.contains("%"), access(path, R_OK) == 0 else { return nil }
            return path
        }
    }
}

private func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
}
