import ArgumentParser
import GateCommands

/// `tidegate audit`: the trail, read through a gateway or verified beside it.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Read the trail of what was done and refused, and verify it.",
        subcommands: [AuditEvents.self, AuditVerify.self, AuditHead.self])
}
