import ArgumentParser
import GateClient
import GateWire

struct MachineCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "machine",
        abstract: "Add machines, list them, change and remove them.",
        subcommands: [
            MachineAdd.self, MachineList.self, MachineShow.self, MachineSet.self, MachineRemove.self,
            MachineEnrol.self, MachineEnrolments.self, MachineRevokeEnrolment.self,
        ])
}

extension MachineBody {
    /// All there is to know, for a person.
    var sheet: FactSheet {
        var sheet = FactSheet()
        sheet.add("name", name)
        sheet.add("agent id", agentID)
        sheet.add("id", id)
        sheet.add("organization", organization)
        sheet.add("site", site)
        sheet.add("tags", tags.joined(separator: " "))
        sheet.add("connected", connected ? "yes" : "no")
        sheet.add("transport", transport)
        sheet.add("port", lease.map { "\($0.address):\($0.port), generation \($0.generation)" } ?? "")
        sheet.add("port until", (lease?.expiresAt).shown)
        sheet.add("system", operatingSystem)
        sheet.add("agent version", agentVersion)
        sheet.add("source", source)
        sheet.add("host keys", hostKeys)
        sheet.add("added", createdAt.shown)
        sheet.add("changed", updatedAt.shown)
        sheet.add("enrolled", enrolledAt.shown)
        sheet.add("last seen", lastSeenAt.shown)
        return sheet
    }
}

extension EnrolmentBody {
    /// The line to paste on the machine; made here when the gateway sends none.
    func commandLine(endpoint: GatewayEndpoint) -> String {
        if let command { return TerminalText.neutralised(command) }
        // The machine cannot use this host's own socket.
        let url = if case .url(let url) = endpoint.transport { url.description } else { "URL" }
        return "tidegate-agent enrol \(url) \(TerminalText.neutralised(token ?? ""))"
    }
}
