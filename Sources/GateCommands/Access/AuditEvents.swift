import ArgumentParser
import GateClient
import GateModel
import GateWire

/// `tidegate audit events`. Its siblings read files of the gateway's host and live with the gateway.
package struct AuditEvents: GatewayCommand {
    package static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "List audit events, newest first.",
        discussion: """
            With --follow events are printed as they happen, oldest first, until the command is interrupted; a gateway that \
            restarts is waited for.

            With --json each event is a document of its own on one line, as in the gateway's audit file. A time is Unix \
            time, RFC 3339 or YYYY-MM-DD, which stands for the start of that day in UTC.

            EXAMPLES
              tidegate audit events --limit 20
              tidegate audit events --severity warning --after 2026-03-01 --before 2026-03-02
              tidegate audit events --action machine.added --json
              tidegate audit events --follow --severity warning
            """)

    @Option(help: "How many events at most (1 to 10000).")
    var limit = 50

    @Option(help: ArgumentHelp("Only events at this time or later.", valueName: "time"))
    var after: String?

    @Option(help: ArgumentHelp("Only events earlier than this time.", valueName: "time"))
    var before: String?

    @Option(help: "Only events of this severity and worse: info, warning, error or critical.")
    var severity: String?

    @Option(help: "Only events of this kind, such as machine.added.")
    var action: String?

    @Flag(help: "Print events as they happen.")
    var follow = false

    @OptionGroup var gateway: GatewayOptions

    package init() {}

    package func validate() throws {
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit is 1 to 10000") }
        for (name, text) in [("after", after), ("before", before)] {
            guard text.map({ Timestamp(moment: $0) != nil }) ?? true else {
                throw ValidationError("--\(name) is \(Timestamp.momentRule)")
            }
        }
        guard severity.map({ AuditEvent.Severity(rawValue: $0) != nil }) ?? true else {
            throw ValidationError("--severity is info, warning, error or critical")
        }
        guard !follow || before == nil else { throw ValidationError("--follow and --before exclude each other") }
    }

    func perform() async throws {
        guard !follow else {
            let choice = AuditFollow.Choice(
                action: action, severity: severity.flatMap { AuditEvent.Severity(rawValue: $0) },
                since: after.flatMap { Timestamp(moment: $0) })
            return try await AuditFollow(client: gateway.client(), json: gateway.json, choice: choice).run()
        }
        let filter = [("action", action), ("severity", severity), ("since", after), ("until", before)]
        let events = try await gateway.client().auditEvents(
            filter.compactMap { name, value in value.map { (name, $0) } }, limit: limit)
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
