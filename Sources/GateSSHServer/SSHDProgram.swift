import GateProcess
public import GateSSH

/// The sshd of this host: where it is and which version.
public struct SSHDProgram: Sendable {
    public struct Fault: Error, CustomStringConvertible {
        public let description: String
    }

    public let path: String
    public let version: OpenSSHVersion

    /// Looks at `path`, or in the usual places. Throws words that say what to do.
    public static func find(_ path: String?) async throws -> SSHDProgram {
        let candidates = path.map { [$0] } ?? ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"]
        guard let found = candidates.first(where: { isExecutable($0) }) else {
            throw Fault(
                description:
                    "No sshd at \(candidates.joined(separator: ", ")): install openssh-server, or name it with --sshd.")
        }
        // Old versions know no -V: they print their version with the usage and fail.
        let run = try await ProcessRun.run(found, arguments: ["-V"], environment: ["PATH": "/usr/bin:/bin"])
        let text = String(decoding: run.output + run.error, as: UTF8.self)
        guard let version = text.split(separator: "\n").lazy.compactMap({ OpenSSHVersion(parsing: $0) }).first else {
            throw Fault(description: "\(found) does not say which OpenSSH it is.")
        }
        guard version >= .oldestSupported else {
            throw Fault(
                description: "OpenSSH \(version) is too old; \(OpenSSHVersion.oldestSupported) or newer is needed.")
        }
        return SSHDProgram(path: found, version: version)
    }

    /// Asks sshd whether it takes the configuration (`sshd -t`); throws its complaint.
    public func check(configuration: String) async throws {
        let run = try await ProcessRun.run(
            path, arguments: ["-t", "-f", configuration], environment: ["PATH": "/usr/bin:/bin"])
        guard run.status.isSuccess else {
            throw Fault(
                description:
                    "sshd refuses \(configuration): \(String(decoding: run.error.prefix(2_000), as: UTF8.self))")
        }
    }
}
