import ArgumentParser
import FoundationEssentials
import GateAgent
import GateClient
import GateModel

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what this machine's agent is and does.",
        discussion: """
            Examples:
              tidegate-agent status
              sudo tidegate-agent status --json
            """)

    @Flag(help: "Print JSON.")
    var json = false

    @Option(help: ArgumentHelp("Look for the service below this folder.", valueName: "dir"))
    var root = "/"

    @OptionGroup var state: StateOption

    struct Facts: Encodable {
        var installed: Bool
        var unit: String
        var stateDirectory: String
        var enrolled: Bool
        var running: Bool
        var tunnel: Bool
        var url: String?
        var agentID: String?
        var name: String?
        var session: SessionFile?

        enum CodingKeys: String, CodingKey {
            case installed, unit, enrolled, running, tunnel, url, name, session
            case stateDirectory = "state_dir"
            case agentID = "agent_id"
        }
    }

    func run() async throws {
        do { try show(try facts()) } catch { throw fail(error) }
    }

    private func facts() throws -> Facts {
        let installation = AgentInstallation(root: root)
        var flags = AgentFlags()
        flags.stateDirectory = state.stateDirectory ?? (installation.isThisSystem ? nil : installation.stateDirectory)
        let settings = try AgentSettings(flags: flags, environment: Launch.environment)
        let folder = settings.state
        let isRunning = folder.isLocked
        let record = try ProcessRecord.read(from: folder)
        return Facts(
            installed: installation.isInstalled, unit: installation.unitFile, stateDirectory: folder.path,
            enrolled: settings.stored != nil, running: isRunning, tunnel: record?.isRunning ?? false,
            url: settings.stored?.url, agentID: settings.stored?.agentID, name: settings.stored?.name,
            session: try folder.session())
    }

    private func show(_ facts: Facts) throws {
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(facts), as: UTF8.self))
            return
        }
        func line(_ name: String, _ value: String) {
            print(name + String(repeating: " ", count: max(1, 12 - name.count)) + TerminalText.neutralised(value))
        }
        line("service", facts.installed ? facts.unit : "not installed (`tidegate-agent install`): \(facts.unit)")
        line("state", facts.stateDirectory)
        if let id = facts.agentID, let url = facts.url {
            line("enrolled", "\(facts.name ?? id) (\(id)) at \(url)")
        } else {
            line("enrolled", "no (`tidegate-agent enrol URL`)")
        }
        line("agent", facts.running ? "running" : "not running")
        line("ssh", facts.tunnel ? "running" : "not running")
        if let session = facts.session {
            line("port", "\(session.portB) on the gateway, to \(session.target)")
            line("registered", session.updatedAt.rfc3339)
            line("reach it", session.connectHint)
        }
    }
}
