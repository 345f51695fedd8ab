import GateModel
import GateSSH
import GateWire

/// The Include file: one `Host` block for each machine, with a ProxyCommand of ours.
package struct SSHConfigFile: Sendable {
    package let config: String
    package let hosts: [String]
    package let knownHostsLines: [String]
    /// Machines whose names are refused here.
    package let skipped: [String]

    /// `program`, `knownHosts` and `home` are absolute paths; `home` is named in the command where it is not the default.
    package init(
        machines: [MachineBody], context: String, program: String, home: String?, knownHosts: String
    ) throws {
        guard let context = MachineName(rawValue: context) else {
            throw CommandFailure(.usage, "a context has \(MachineName.rule)")
        }
        var text = JumpConfigText.firstLine + "\n"
        var hosts: [String] = []
        var lines: [String] = []
        var skipped: [String] = []
        for machine in machines.sorted(by: { $0.name < $1.name }) {
            // Checked again, whatever the gateway let in: a line break in a name would be a command on this computer.
            guard let name = MachineName(rawValue: machine.name), let alias = try? HostKeyName.machine(machine.id)
            else {
                skipped.append(machine.name)
                continue
            }
            let host = "\(name).\(context).tidegate"
            let command = (home.map { ["/usr/bin/env", "TIDEGATE_HOME=\($0)"] } ?? []) + [program]
            text += try SSHConfigEntry(
                host: host,
                options: [
                    .init("HostKeyAlias", .word(alias)),
                    .init("ProxyCommand", .command(command + ["proxy", "--", name.rawValue], tokens: [])),
                    .init("UserKnownHostsFile", .path(knownHosts)), .init("StrictHostKeyChecking", .word("yes")),
                    .init("CheckHostIP", .word("no")), .init("UpdateHostKeys", .word("no")),
                ]
            ).text
            hosts.append(host)
            lines += (try? HostKeyName.lines(for: alias, keys: machine.hostKeys)) ?? []
        }
        config = text
        self.hosts = hosts
        knownHostsLines = lines
        self.skipped = skipped
    }
}
