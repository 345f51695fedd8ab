import Glibc

/// The stock OpenSSH programs of this machine, and what of our environment they get.
public struct SSHTools: Sendable, Hashable {
    public let ssh: String
    public let keyscan: String
    /// The chosen environment of every child.
    public let environment: [String: String]

    public init(ssh: String, keyscan: String, environment: [String: String]) {
        self.ssh = ssh
        self.keyscan = keyscan
        self.environment = environment
    }

    /// Finds the programs in PATH, absolute entries only.
    public static func find(environment: [String: String]) throws(AgentError) -> Self {
        let path = environment["PATH"].flatMap { $0.isEmpty ? nil : $0 } ?? "/usr/bin:/bin:/usr/local/bin"
        func find(_ name: String) throws(AgentError) -> String {
            let folders = path.split(separator: ":").map(String.init) + ["/usr/bin", "/usr/local/bin"]
            for folder in folders where folder.hasPrefix("/") {
                let candidate = "\(folder)/\(name)"
                if access(candidate, X_OK) == 0 { return candidate }
            }
            throw .unreachable(
                "\(name) is not installed: install the OpenSSH client (Debian: apt install openssh-client)")
        }
        // The agent's socket and the home are for the keys an alias may use; nothing else, and no secret, goes along.
        var chosen = environment.filter { ["HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK"].contains($0.key) }
        chosen["PATH"] = path
        // The messages of ssh are read below.
        chosen["LC_ALL"] = "C"
        return Self(ssh: try find("ssh"), keyscan: try find("ssh-keyscan"), environment: chosen)
    }
}
