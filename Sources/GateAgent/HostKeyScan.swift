import GateProcess
import GateSSH

/// Asks the sshd behind the tunnel for its host keys, which the gateway hands to those who come in: they pin them.
public enum HostKeyScan {
    /// The most the gateway takes.
    static let limit = 8

    /// The keys of an sshd on this side; empty when none answers within 5 s.
    public static func keys(of target: SSHTarget, tools: SSHTools) async -> [SSHHostKey] {
        // `--`: a host that begins with a dash would be read as an option, and `-f` reads files.
        let arguments = ["-T", "5", "-p", String(target.port), "-t", "ed25519,ecdsa,rsa", "--", target.host]
        let result = try? await ProcessRun.run(
            tools.keyscan, arguments: arguments, environment: tools.environment, limitBytes: 65_536,
            timeout: .seconds(20))
        guard let result else { return [] }
        return parse(String(decoding: result.output, as: UTF8.self))
    }

    /// Lines of ssh-keyscan(1); what is no key is passed over.
    package static func parse(_ text: String) -> [SSHHostKey] {
        var keys: [SSHHostKey] = []
        for line in text.split(whereSeparator: \.isNewline) {
            guard let key = try? SSHHostKey(parsing: line), !keys.contains(key) else { continue }
            keys.append(key)
        }
        return Array(keys.prefix(limit))
    }
}
