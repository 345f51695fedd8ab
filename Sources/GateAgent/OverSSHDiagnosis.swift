import GateSSH

/// Turns the words of ssh into what a person can do about them.
enum OverSSHDiagnosis {
    /// Why the alias could not be logged in to.
    static func failedLogin(_ lines: [String], alias: SSHAlias, user: String, identities: [String]) -> String {
        let text = lines.joined(separator: "\n")
        if text.contains("Host key verification failed") || text.contains("No ED25519 host key is known")
            || text.contains("REMOTE HOST IDENTIFICATION HAS CHANGED")
        {
            return """
                the host key of \(alias) is not the one known here: run `ssh \(alias)` once and compare its key, \
                or add the key to known_hosts
                """
        }
        if text.contains("Permission denied") || text.contains("Too many authentication failures") {
            let tried = identities.isEmpty ? "no key at all" : identities.joined(separator: ", ")
            return """
                \(alias) lets \(user) in with none of the keys tried (\(tried)). A gateway's own ssh user knows this \
                machine only once it is enrolled: enrol over another account, or over https
                """
        }
        if text.contains("Could not resolve hostname") {
            return "\(alias): its host name can't be found (\(lines.last ?? "ssh gave no reason"))"
        }
        return "ssh \(alias) ended before it was logged in: \(lines.last ?? "it gave no reason")"
    }

    /// Why the far end did not pass us on to the API; nil when the words do not say so.
    static func refusedForward(_ lines: [String], alias: SSHAlias, address: SSHAddress) -> String? {
        guard let line = lines.last(where: { $0.contains("open failed") }) else { return nil }
        if line.contains("administratively prohibited") {
            return """
                \(alias) logs in, but its sshd does not forward to \(address): see AllowTcpForwarding and PermitOpen \
                there, or the permitopen of its key line
                """
        }
        return "\(alias) logs in, but nothing answers at \(address) there: does the gateway listen on that port?"
    }

    /// Why a tunnel ended, from what its ssh said last.
    static func endedTunnel(_ lines: [String]) -> String {
        let text = lines.joined(separator: "\n")
        if text.contains("Host key verification failed") || text.contains("HOST IDENTIFICATION HAS CHANGED") {
            return "the gateway's sshd does not show a host key this machine was told of"
        }
        if text.contains("remote port forwarding failed") { return "the leased port is held by somebody else" }
        if text.contains("Permission denied") { return "the gateway's sshd did not let this machine in" }
        return lines.last ?? "the connection ended"
    }
}
