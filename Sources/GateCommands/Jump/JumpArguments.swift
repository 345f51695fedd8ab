import GateModel
import GateSSH
import GateWire

/// Argument vectors for stock ssh on both hops to a machine, without the program's own name.
package struct JumpArguments: Sendable {
    /// The private half of the jump's key.
    package let identity: String
    /// known_hosts files of mode 0600 that hold the one alias each.
    package let gatewayHosts: String
    package let machineHosts: String

    package let gateway: SSHTarget
    package let gatewayUser: String
    package let gatewayAlias: String
    package let machine: SSHAddress
    package let machineAlias: String
    /// What ssh, scp and the user's own configuration see as the host.
    package let host: String

    package init(folder: String, gateway: GatewayBody, machine: ReachableMachineBody, lease: LeaseBody) throws {
        identity = folder + "/key"
        gatewayHosts = folder + "/gateway_hosts"
        machineHosts = folder + "/machine_hosts"
        self.gateway = try SSHTarget(host: gateway.sshHost, port: gateway.sshPort)
        gatewayUser = try HostKeyName.user(gateway.sshUser)
        gatewayAlias = try HostKeyName.gateway(gateway.id)
        self.machine = try LeaseAddress.address(of: lease)
        machineAlias = try HostKeyName.machine(machine.id)
        host = try HostKeyName.machineName(machine.name) + ".tidegate"
    }

    /// The hop to the gateway: nothing of the user's configuration or agent, one key, one pinned host, one target.
    package var gatewayHop: [String] {
        get throws {
            ["-F", "none", "-i", identity, "-p", String(gateway.port), "-l", gatewayUser]
                + options([
                    "BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none", "PreferredAuthentications=publickey",
                    "HostKeyAlias=\(gatewayAlias)", "UserKnownHostsFile=\(try SSHConfigText.path(gatewayHosts))",
                    // A dead gateway is noticed within 45 s, so that no session hangs for ever.
                    "ConnectTimeout=15", "ServerAliveInterval=15", "ServerAliveCountMax=3", "LogLevel=ERROR",
                ])
                + options(Self.pinning) + ["-W", machine.text, "--", gateway.host]
        }
    }

    /// Options of the hop to the machine. The user's own configuration and keys apply to the login, but cannot undo
    /// these: ssh takes the first value it meets, and the command line comes first.
    ///
    /// `program` is the absolute path of ssh.
    package func machineOptions(program: String) throws -> [String] {
        options(
            try [
                "HostName=\(machine.host)", "Port=\(machine.port)",
                "ProxyCommand=\(SSHConfigText.command([program] + gatewayHop))",
                "HostKeyAlias=\(machineAlias)", "UserKnownHostsFile=\(SSHConfigText.path(machineHosts))",
                "CanonicalizeHostname=no",
            ]) + options(Self.pinning)
    }

    /// Only the file we wrote vouches for a host: not the system's file, not DNS, not a command, not the host itself.
    ///
    /// No shared connection either: it would outlive the key that this command revokes when it ends.
    private static let pinning = [
        "StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null", "KnownHostsCommand=none", "VerifyHostKeyDNS=no",
        "UpdateHostKeys=no", "CheckHostIP=no", "NoHostAuthenticationForLocalhost=no", "ControlMaster=no",
        "ControlPath=none",
    ]

    private func options(_ list: [String]) -> [String] { list.flatMap { ["-o", $0] } }
}

extension SSHOperands {
    /// For ssh(1): ours first, then the user's options, the destination and all that followed it.
    package func arguments(_ jump: JumpArguments, program: String) throws -> [String] {
        try jump.machineOptions(program: program) + options + [destination.destination(jump.host)] + rest
    }
}

extension SCPOperands {
    /// For scp(1); no operand can be read as an option.
    package func arguments(_ jump: JumpArguments, program: String) throws -> [String] {
        try jump.machineOptions(program: program) + options + ["--"] + rewritten(host: jump.host)
    }
}
