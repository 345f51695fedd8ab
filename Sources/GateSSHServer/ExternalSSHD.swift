import GateProcess
import GateSSH

/// The system's own sshd as the data plane: the drop-in it needs, and the check that what it really does is safe.
public struct ExternalSSHD: Sendable {
    private let settings: SSHDSettings

    public init(_ settings: SSHDSettings) { self.settings = settings }

    /// For `/etc/ssh/sshd_config.d/`. The gateway's login user alone is bound by it; sshd takes the first value it reads,
    /// so it must come before other settings.
    public var dropIn: String {
        var lines = [
            "# tidegate: put this into /etc/ssh/sshd_config.d/10-tidegate.conf, then: sshd -t && systemctl reload ssh",
            "# These two have no Match form. A penalty for one failed login would lock out a fleet behind one address.",
        ]
        if settings.version.hasPerSourcePenalties { lines.append("PerSourcePenalties no") }
        lines += [
            "MaxStartups 100:30:200",
            "Match User \(settings.loginUser)",
            "    AuthenticationMethods publickey",
            "    PubkeyAcceptedAlgorithms ssh-ed25519,sk-ssh-ed25519@openssh.com",
            "    AuthorizedKeysFile none",
        ]
        if case .helper(let path, let socket, let user) = settings.keySource {
            lines += [
                "    AuthorizedKeysCommand \(path) --socket \(socket) %u %f %t",
                "    AuthorizedKeysCommandUser \(user)",
            ]
        }
        lines += [
            "    AllowTcpForwarding yes",
            "    AllowStreamLocalForwarding no",
            "    GatewayPorts \(settings.leaseAddress == "127.0.0.1" ? "no" : "clientspecified")",
            "    PermitTunnel no",
            "    MaxSessions 0",
            "    ForceCommand /usr/sbin/nologin",
            "    PermitTTY no",
            "    X11Forwarding no",
            "    AllowAgentForwarding no",
            "    PermitUserRC no",
            "    ClientAliveInterval 10",
            "    ClientAliveCountMax 2",
        ]
        if settings.version.hasUnusedConnectionTimeout { lines.append("    UnusedConnectionTimeout none") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// What the effective settings (`sshd -T -C`) leave unsafe for the login user; empty when nothing is.
    public func faults() async -> [String] {
        guard let text = await effectiveSettings() else {
            return ["sshd -T fails: run it by hand, as root, to see why"]
        }
        return Self.faults(in: text, settings: settings)
    }

    /// The host keys it shows, `type base64` each: the public halves beside the `hostkey` files of its settings.
    public func hostKeys() async -> [String] {
        guard let text = await effectiveSettings() else { return [] }
        return text.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("hostkey ") else { return nil }
            return readFile(line.dropFirst("hostkey ".count) + ".pub").flatMap { try? SSHHostKey(parsing: $0).line }
        }
    }

    private func effectiveSettings() async -> String? {
        guard
            let run = try? await ProcessRun.run(
                settings.program,
                arguments: ["-T", "-C", "user=\(settings.loginUser),host=client.invalid,addr=192.0.2.1"],
                environment: ["PATH": "/usr/bin:/bin"]),
            run.status.isSuccess
        else { return nil }
        return String(decoding: run.output, as: UTF8.self)
    }

    static func faults(in text: String, settings: SSHDSettings) -> [String] {
        var values: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 1)
            guard parts.count == 2 else { continue }
            values[String(parts[0]), default: String(parts[1])] = String(parts[1])
        }
        var faults: [String] = []
        func require(_ name: String, _ allowed: Set<String>, _ reason: String) {
            let value = values[name] ?? "unknown"
            if !allowed.contains(value) {
                faults.append("\(name) is \(value), must be \(allowed.sorted().joined(separator: " or ")): \(reason)")
            }
        }
        require("gatewayports", ["no", "clientspecified"], "else every lease is bound to all interfaces")
        require("allowstreamlocalforwarding", ["no"], "no key line can confine Unix sockets")
        require("authorizedkeysfile", ["none"], "a file would let in keys the gateway can't revoke")
        require("permittunnel", ["no"], "no key line can confine tun devices")
        require("authenticationmethods", ["publickey"], "any other method goes around the gateway")
        require("trustedusercakeys", ["none"], "certificates go around the gateway")
        if settings.version.hasUnusedConnectionTimeout {
            require("unusedconnectiontimeout", ["none", "0"], "an idle reverse tunnel would be cut")
        }
        if settings.version.hasPerSourcePenalties {
            require("persourcepenalties", ["no"], "one machine's failed logins would lock out all behind its address")
        }
        if values["maxsessions"] != "0", (values["forcecommand"] ?? "none") == "none" {
            faults.append(
                "maxsessions is not 0 and there is no forcecommand: a key line would be the only fence against commands"
            )
        }
        if case .helper(let path, let socket, let user) = settings.keySource {
            // The socket too: another gateway of this host, asked about our keys, would know none of them.
            let command = "\(path) --socket \(socket) "
            if values["authorizedkeyscommand"]?.hasPrefix(command) != true {
                faults.append(
                    "authorizedkeyscommand is \(values["authorizedkeyscommand"] ?? "none"), must be \(command)%u %f %t")
            }
            if values["authorizedkeyscommanduser"] != user {
                faults.append(
                    "authorizedkeyscommanduser is \(values["authorizedkeyscommanduser"] ?? "none"), must be \(user)")
            }
        }
        return faults
    }
}
