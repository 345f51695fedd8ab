import GateSSH
import GateWire

/// What stock ssh needs to reach machines through the gateway: a block for the gateway, one for each machine, and the
/// host keys of all of them.
///
/// Host keys are pinned to ids, never to 127.0.0.1 and a port: a port may be another machine's tomorrow.
package struct JumpConfigText: Sendable {
    package static let defaultKnownHosts = "~/.ssh/tidegate_known_hosts"
    /// The first line of a file we may replace.
    package static let firstLine = "# Written by tidegate; it will be replaced."

    package let config: String
    /// known_hosts lines without line breaks.
    package let knownHostsLines: [String]

    /// `identity` and `knownHosts` are absolute, or begin with `~/`.
    package init(
        gateway: GatewayBody, machines: [ReachableMachineBody], identity: String, knownHosts: String? = nil
    ) throws {
        let pins = knownHosts ?? Self.defaultKnownHosts
        let host = try SSHTarget(host: gateway.sshHost, port: gateway.sshPort)
        let alias = try HostKeyName.gateway(gateway.id)
        var text = Self.firstLine + "\n"
        text += try SSHConfigEntry(
            host: "tidegate-gateway",
            options: [
                .init("HostName", .word(host.host)), .init("Port", .word(String(host.port))),
                .init("User", .word(try HostKeyName.user(gateway.sshUser))), .init("IdentityFile", Self.file(identity)),
                .init("IdentitiesOnly", .word("yes")), .init("HostKeyAlias", .word(alias)),
                .init("UserKnownHostsFile", Self.file(pins)), .init("StrictHostKeyChecking", .word("yes")),
            ]
        ).text
        var lines = try HostKeyName.lines(for: alias, keys: gateway.sshHostKeys)
        for machine in machines {
            let name = try HostKeyName.machineName(machine.name)
            let alias = try HostKeyName.machine(machine.id)
            lines += try HostKeyName.lines(for: alias, keys: machine.hostKeys)
            guard let lease = machine.lease else {
                text += "# \(name) holds no port yet: run the command again once it is connected.\n"
                continue
            }
            let address = try LeaseAddress.address(of: lease)
            text += try SSHConfigEntry(
                host: name + ".tidegate",
                options: [
                    .init("HostName", .word(address.host)), .init("Port", .word(String(address.port))),
                    .init("ProxyJump", .word("tidegate-gateway")), .init("HostKeyAlias", .word(alias)),
                    .init("UserKnownHostsFile", Self.file(pins)), .init("StrictHostKeyChecking", .word("yes")),
                ]
            ).text
        }
        config = text
        knownHostsLines = lines
    }

    /// Adds the host keys to a known_hosts file; what it pinned under the same names before goes.
    package func pin(into path: String) async throws { try await HostKeyName.merge(knownHostsLines, into: path) }

    private static func file(_ path: String) -> SSHConfigEntry.Value { path.hasPrefix("/") ? .path(path) : .word(path) }
}
