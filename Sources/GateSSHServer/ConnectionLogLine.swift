import GateSSH

/// What one line of sshd's own log says. Log text is data and never a fact by itself: a fingerprint read here only leads
/// to another look at the key table.
enum ConnectionLogLine: Equatable {
    case accepted(user: String, fingerprint: String)
    case other

    /// `Accepted publickey for USER from ADDRESS port N ssh2: ED25519 SHA256:…`. A user name can't forge it: sshd logs
    /// names of unknown users in other sentences, and ours are checked.
    init(_ line: some StringProtocol) {
        let words = line.split(separator: " ")
        guard words.count >= 11, words[0] == "Accepted", words[1] == "publickey", words[2] == "for", words[4] == "from",
            words[6] == "port", words[8] == "ssh2:", let fingerprint = SSHFingerprint(words[10])
        else {
            self = .other
            return
        }
        self = .accepted(user: String(words[3]), fingerprint: fingerprint.rawValue)
    }
}
