import GateSSH

/// The text of the managed sshd's configuration (sshd_config(5)), each setting with its reason.
public struct SSHDConfiguration: Sendable {
    public let text: String

    /// `acceptsRSA` only while a key brought over from another gateway is one; with SHA-2 signatures, never SHA-1.
    public init(_ settings: SSHDSettings, usesPAM: Bool, acceptsRSA: Bool = false) {
        let algorithms = "ssh-ed25519,sk-ssh-ed25519@openssh.com" + (acceptsRSA ? ",rsa-sha2-512,rsa-sha2-256" : "")
        var lines = [
            "# Written by tidegate at each start; edits are lost. One sshd -i runs per connection with this file.",
            "",
            "# Everything confines globally: a Match block can be stepped around by logging in as somebody else.",
            "AllowUsers \(settings.loginUser)",
            "PermitRootLogin \(settings.loginUser == "root" ? "prohibit-password" : "no")",
            "AuthenticationMethods publickey",
            "PubkeyAuthentication yes",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "# Short keys of one kind; certificates would be a second way in that nobody here can revoke.",
            "PubkeyAcceptedAlgorithms \(algorithms)",
            "TrustedUserCAKeys none",
            "AuthorizedPrincipalsFile none",
        ]
        switch settings.keySource {
        case .helper(let path, let socket, let user):
            lines += [
                "AuthorizedKeysFile none",
                "AuthorizedKeysCommand \(path) --socket \(socket) %u %f %t",
                "AuthorizedKeysCommandUser \(user)",
            ]
        case .file(let path):
            lines += [
                "AuthorizedKeysFile \(path)",
                "AuthorizedKeysCommand none",
                "# The file lies in a 0700 folder of ours; StrictModes would judge the folders above it instead.",
                "StrictModes no",
            ]
        }
        lines += [
            "",
            "# Forwarding of TCP is the whole service; key lines say which. They can't speak of Unix sockets, so those are off.",
            "AllowTcpForwarding yes",
            "AllowStreamLocalForwarding no",
            "GatewayPorts \(settings.leaseAddress == "127.0.0.1" ? "no" : "clientspecified")",
            "PermitTunnel no",
            "AllowAgentForwarding no",
            "X11Forwarding no",
            "# No session of any kind, even should a key line ever fail to forbid it.",
            "MaxSessions 0",
            "ForceCommand /usr/sbin/nologin",
            "PermitTTY no",
            "PermitUserRC no",
            "PermitUserEnvironment no",
            "PrintMotd no",
            "PrintLastLog no",
            "",
            "# A peer that vanished is noticed in 30 s, so that its port is free for the agent's next connection.",
            "TCPKeepAlive yes",
            "ClientAliveInterval 10",
            "ClientAliveCountMax 2",
            "# Larger than MaxAuthTries times the helper's one second, so that a slow store refuses by itself.",
            "LoginGraceTime 20",
            "MaxAuthTries 6",
            "# Rekeying limits stay sshd's; compression before login is a second parser for strangers.",
            "Compression no",
            "UseDNS no",
            "LogLevel INFO",
            "PidFile none",
            "HostKey \(settings.hostKeyPath)",
        ]
        if usesPAM {
            lines += ["# Debian's sshd can't serve as an ordinary user without it.", "UsePAM yes"]
        } else {
            lines += ["UsePAM no"]
        }
        if settings.version.hasUnusedConnectionTimeout {
            lines += [
                "# An idle reverse tunnel has a listener and no channel: a timeout would cut it.",
                "UnusedConnectionTimeout none",
            ]
        }
        if settings.version.hasPerSourcePenalties {
            lines += [
                "# A fleet behind one address would lock itself out; the gateway paces and counts by itself.",
                "PerSourcePenalties no",
            ]
        }
        text = lines.joined(separator: "\n") + "\n"
    }
}
