/// Ways that go through a destination of the user's own ssh_config, used as it stands.
extension SSHArguments {
    /// `ssh -N -R` to an alias. The alias keeps its host, port, user, proxies and keys; `identity` is tried first.
    ///
    /// Nil for `configFile` leaves ssh its usual files. Host keys are the alias' own matter unless `pin` is given.
    public static func reverseTunnel(
        alias: String, configFile: String? = nil, identity: String, listen: SSHAddress, target: String, pin: Pin? = nil
    ) throws(Fault) -> [String] {
        var arguments = try start(configFile: configFile, identities: [identity])
        if let pin { arguments += try pinning(pin) }
        arguments += options(tunnelOptions)
        return arguments + ["-R", try reverseSpec(listen, target), "--", try Check.alias(alias)]
    }

    /// `ssh -N -L` from a Unix socket of mode 0600 to an address as the far side sees it.
    public static func localForward(
        alias: String, configFile: String? = nil, identities: [String] = [], localSocket: String, remote: SSHAddress,
        pin: Pin? = nil
    ) throws(Fault) -> [String] {
        var arguments = try start(configFile: configFile, identities: identities)
        if let pin { arguments += try pinning(pin) }
        // 0177 leaves 0600, and a socket file left by a killed ssh must not stop the next one.
        arguments += options(tunnelOptions + ["StreamLocalBindMask=0177", "StreamLocalBindUnlink=yes"])
        return arguments + ["-L", try Check.socket(localSocket) + ":" + remote.text, "--", try Check.alias(alias)]
    }

    /// `ssh -N -L` from a TCP port of this host, which any local user may then connect to.
    public static func localForward(
        alias: String, configFile: String? = nil, identities: [String] = [], local: SSHAddress, remote: SSHAddress,
        pin: Pin? = nil
    ) throws(Fault) -> [String] {
        var arguments = try start(configFile: configFile, identities: identities)
        if let pin { arguments += try pinning(pin) }
        arguments += options(tunnelOptions)
        return arguments + ["-L", local.text + ":" + remote.text, "--", try Check.alias(alias)]
    }

    private static func start(configFile: String?, identities: [String]) throws(Fault) -> [String] {
        var arguments = ["-N", "-T"]
        if let configFile { arguments += ["-F", try Check.plainPath(configFile)] }
        for identity in identities { arguments += ["-i", try Check.literalPath(identity)] }
        // An alias that forks into the background would look like a tunnel that ended.
        return arguments + options(["BatchMode=yes", "ForkAfterAuthentication=no"])
    }
}
