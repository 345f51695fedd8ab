/// Argument vectors for stock ssh(1), without the program's own name.
///
/// Every value is checked before it goes in, and the destination stands behind `--`, so nothing that came from a
/// server, a store or a person can be read as an option.
public enum SSHArguments {
    public struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// Host keys to hold a destination to: a known_hosts file and the name to look up in it.
    public struct Pin: Hashable, Sendable {
        public let knownHosts: String
        public let hostKeyAlias: String

        public init(knownHosts: String, hostKeyAlias: String) {
            self.knownHosts = knownHosts
            self.hostKeyAlias = hostKeyAlias
        }
    }

    /// `ssh -N -R` to the gateway by host and port, pinned, with one identity and nothing of the user's own
    /// configuration unless `configFile` names it. `target` is `host:port` on this side.
    public static func reverseTunnel(
        identity: String, knownHosts: String, hostKeyAlias: String, gatewayHost: String, gatewayPort: Int, user: String,
        listen: SSHAddress, target: String, configFile: String? = nil, proxyCommand: String? = nil
    ) throws(Fault) -> [String] {
        let gateway = try destination(gatewayHost, gatewayPort)
        var arguments = ["-N", "-T", "-F", try configFile.map(Check.plainPath) ?? "none"]
        arguments += ["-i", try Check.literalPath(identity), "-p", String(gateway.port), "-l", try Check.user(user)]
        arguments += options(["BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none"])
        arguments += try pinning(Pin(knownHosts: knownHosts, hostKeyAlias: hostKeyAlias))
        arguments += options(tunnelOptions)
        if let proxyCommand { arguments += options(["ProxyCommand=" + (try Check.command(proxyCommand))]) }
        return arguments + ["-R", try reverseSpec(listen, target), "--", gateway.host]
    }

    /// What both kinds of tunnel need: an error where a forwarding fails, a dead peer noticed within 40 s, no sharing
    /// of somebody else's connection (it would not carry our key), and nothing of ours offered to the far side.
    static let tunnelOptions = [
        "ExitOnForwardFailure=yes", "ConnectTimeout=10", "ServerAliveInterval=10", "ServerAliveCountMax=3",
        "TCPKeepAlive=yes", "ControlMaster=no", "ControlPath=none", "ForwardAgent=no", "ForwardX11=no",
        "PermitLocalCommand=no", "LogLevel=ERROR",
    ]

    static func options(_ list: [String]) -> [String] { list.flatMap { ["-o", $0] } }

    /// A gateway may not add keys of its own (`UpdateHostKeys`), nor the system's file vouch for it.
    static func pinning(_ pin: Pin) throws(Fault) -> [String] {
        options([
            "StrictHostKeyChecking=yes", "UserKnownHostsFile=" + (try Check.quotedPath(pin.knownHosts)),
            "GlobalKnownHostsFile=none", "HostKeyAlias=" + (try Check.alias(pin.hostKeyAlias)), "UpdateHostKeys=no",
        ])
    }

    static func reverseSpec(_ listen: SSHAddress, _ target: String) throws(Fault) -> String {
        do { return listen.text + ":" + (try SSHTarget(parsing: target).text) } catch { throw Fault("\(error)") }
    }

    private static func destination(_ host: String, _ port: Int) throws(Fault) -> SSHTarget {
        do { return try SSHTarget(host: host, port: port) } catch { throw Fault("\(error)") }
    }
}

extension SSHArguments.Fault {
    init(_ description: String) { self.init(description: description) }
}

extension SSHArguments {
    /// The values ssh takes no quoting for, or reads more into than it seems.
    enum Check {
        /// For `-F`, which takes its path as it stands.
        static func plainPath(_ path: String) throws(Fault) -> String {
            guard path.utf8.first == UInt8(ascii: "/"), !path.hasControlCharacter, path.utf8.count < 4_096 else {
                throw Fault("A path given to ssh is absolute, below 4096 bytes and without control characters.")
            }
            return path
        }

        /// For `-i` and socket paths, where ssh expands `%` and `${` though the shell is far away.
        static func literalPath(_ path: String) throws(Fault) -> String {
            guard !path.utf8.contains(UInt8(ascii: "%")), !path.hasVariable else {
                throw Fault("A path given to ssh holds no % and no ${.")
            }
            return try plainPath(path)
        }

        /// For `-o`, whose value is parsed as a line of ssh_config.
        static func quotedPath(_ path: String) throws(Fault) -> String {
            do { return try SSHConfigText.path(try literalPath(path)) } catch let fault as Fault { throw fault } catch {
                throw Fault("\(error)")
            }
        }

        /// A local socket in a forwarding: `:` ends a field there, `\` escapes; sun_path holds 107 bytes and a NUL.
        static func socket(_ path: String) throws(Fault) -> String {
            guard path.utf8.count <= 107, !path.utf8.contains(where: { ":\\[]".utf8.contains($0) }) else {
                throw Fault("A socket path has at most 107 bytes and none of : \\ [ ].")
            }
            return try literalPath(path)
        }

        static func user(_ name: String) throws(Fault) -> String {
            guard name.utf8.count <= 64, isWord(name, extra: "_.-") else {
                throw Fault("A login name has 1 to 64 letters, digits, _ . or -, and does not begin with - or a dot.")
            }
            return name
        }

        /// A `Host` word of ssh_config or a HostKeyAlias, with `user@` before it if need be.
        static func alias(_ name: String) throws(Fault) -> String {
            guard name.utf8.count <= 255, isWord(name, extra: "_.-@") else {
                throw Fault(
                    "An ssh alias has 1 to 255 letters, digits, _ . - or @, and does not begin with - or a dot.")
            }
            return name
        }

        static func command(_ text: String) throws(Fault) -> String {
            guard !text.isEmpty, !text.hasControlCharacter else {
                throw Fault("A ProxyCommand is one line without control characters.")
            }
            return text
        }

        private static func isWord(_ text: String, extra: String) -> Bool {
            guard let first = text.utf8.first, !"-.@".utf8.contains(first) else { return false }
            return text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) || (0x41...0x5A).contains($0)
                    || extra.utf8.contains($0)
            }
        }
    }
}
