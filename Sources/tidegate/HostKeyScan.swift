import GateControl
import GateProcess
import GateSSH

/// What host keys an sshd elsewhere offers, as ssh-keyscan(1) sees them: whoever is on the way could have put theirs there,
/// which is why a person compares them.
enum HostKeyScan {
    private static let program = "/usr/bin/ssh-keyscan"

    @Sendable static func keys(of host: SSHTarget) async throws -> [SSHHostKey] {
        let result: ProcessRun.Output
        do {
            result = try await ProcessRun.run(
                program,
                // Checked names and numbers, and behind `--`: none of them can be read as an option.
                arguments: ["-T", "5", "-t", "ed25519,ecdsa", "-p", String(host.port), "--", host.host],
                limitBytes: 64 << 10, timeout: .seconds(10))
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw ControlError.notPossible("\(host.text) could not be asked for its host keys in 10 seconds.")
        }
        let keys = String(decoding: result.output, as: UTF8.self).split(separator: "\n").compactMap { line in
            line.hasPrefix("#") ? nil : try? SSHHostKey(parsing: line)
        }
        guard !keys.isEmpty else {
            throw ControlError.notPossible(
                "\(host.text) offers no host key: is an sshd there, and reachable from here?")
        }
        return keys
    }
}
