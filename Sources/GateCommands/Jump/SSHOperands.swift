/// The arguments of `tidegate ssh`, split where ssh(1) itself would: options, destination, the rest.
///
/// rsync, Ansible and git call their remote shell as `ssh [-l login] HOST command …` without a `--`, so all that follows
/// the destination is handed on as it stands.
package struct SSHOperands: Hashable, Sendable {
    package let options: [String]
    package let destination: MachineOperand
    package let rest: [String]

    package init(_ arguments: [String]) throws {
        let (options, rest) = try OptionScan(valueLetters: "BbcDEeFIiJLlmOopPQRSWw", refused: ["f": Self.background])
            .split(arguments)
        guard let first = rest.first else { throw UsageFault("which machine? tidegate ssh [LOGIN@]NAME [command …]") }
        self.options = options
        destination = try MachineOperand(first)
        self.rest = Array(rest.dropFirst())
    }

    private static let background =
        "ssh -f goes on without us, but its key is revoked when this command ends; run it with & instead"
}
