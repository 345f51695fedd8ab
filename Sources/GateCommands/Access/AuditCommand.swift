import ArgumentParser
import GateClient
import GateWire

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Read the trail of what was done and refused.",
        subcommands: [AuditEvents.self])
}

struct AuditEvents: GatewayCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "List audit events, newest first.",
        discussion: """
            With --follow events are printed as they happen, oldest first, until the command is interrupted; a gateway that
            restarts is waited for.

            With --json each event is a document of its own on one line, as in the gateway's audit file.

            EXAMPLES
              tidegate audit events --limit 20
              tidegate audit events --action machine.added --json
              tidegate audit events --follow
            """)

    @Option(help: "How many events at most (1 to 500).")
    var limit = 50

    @Option(help: ArgumentHelp("Go on after the event of this id.", valueName: "id"))
    var after: String?

    @Option(help: "Only events of this kind, such as machine.added.")
    var action: String?

    @Flag(help: "Print events as they happen.")
    var follow = false

    @OptionGroup var gateway: GatewayOptions

    func validate() throws {
        guard (1...500).contains(limit) else { throw ValidationError("--limit is 1 to 500") }
    }

    func perform() async throws {
        guard !follow else {
            return try await AuditFollow(client: gateway.client(), json: gateway.json, action: action).run(after: after)
        }
        let events = try await gateway.client().auditEvents(
            action.map { [("action", $0)] } ?? [], after: after, limit: limit)
        guard !gateway.json else {
            for event in events { Terminal.print(try JSONText.line(event)) }
            return
        }
        var table = Table(["TIME", "ACTION", "OUTCOME", "SEVERITY", "ACTOR", "SUBJECT", "SOURCE", "DETAILS"])
        for event in events {
            let details = event.details.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            table.add([
                event.at.shown, event.action, event.outcome, event.severity, event.actor, event.subject, event.source,
                details.joined(separator: " "),
            ])
        }
        Terminal.print(table)
    }
}
