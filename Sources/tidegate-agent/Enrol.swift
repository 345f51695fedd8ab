import ArgumentParser
import GateAgent
import GateClient
import GateLog
import GateModel
import Glibc
import Logging

struct Enrol: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Buy this machine's own key with an enrolment token.",
        discussion: """
            Examples:
              tidegate-agent enrol https://gate.example.org --token-file token
              tidegate-agent enrol https://gate.example.org - < token
              tidegate-agent enrol https://gate:12000 - --over-ssh gate < token

            The token is made by `tidegate machine add NAME` and is good for one machine. Without --token-file and \
            TOKEN it is read from the standard input.
            """)

    @Argument(help: "The gateway's URL (TIDEGATE_URL).")
    var url: String?

    @Argument(help: "The enrolment token, or - for the standard input. On the command line others can see it.")
    var token: String?

    @Option(help: ArgumentHelp("File that holds the enrolment token.", valueName: "file"))
    var tokenFile: String?

    @Flag(help: "Enrol anew although this machine has a key.")
    var again = false

    @OptionGroup var way: WayOptions
    @OptionGroup var state: StateOption

    func run() async throws {
        do {
            let settings = try AgentSettings(flags: way.flags(state, url: url), environment: Launch.environment)
            guard let url = settings.url, self.url != nil || Launch.environment["TIDEGATE_URL"]?.isEmpty == false else {
                throw AgentError.configuration("which gateway? Give its URL: tidegate-agent enrol URL")
            }
            let lock = try settings.state.lock()
            defer { withExtendedLifetime(lock) {} }
            if let stored = settings.stored, try settings.state.agentKey() != nil, !again {
                throw AgentError.configuration(
                    """
                    this machine is enrolled already, as \(stored.agentID) at \(stored.url): \
                    start it with `tidegate-agent run`, or give --again
                    """)
            }
            let token = try readToken()
            let log = ServiceLog.make("tidegate-agent", isService: false, level: .info)
            let chosen = try await ControlWay.choose(
                settings: settings, url: url, credential: token, tools: try .find(environment: Launch.environment),
                log: log)
            let agent = try await Enrolment(settings: settings, way: chosen.way, token: token, url: url).run()
            print("enrolled as \(TerminalText.neutralised(agent.name)) (\(TerminalText.neutralised(agent.agentID)))")
            print("next: `tidegate-agent run`, or as a service `sudo tidegate-agent install`")
        } catch {
            throw fail(error)
        }
    }

    private func readToken() throws(AgentError) -> Secret<String> {
        if let tokenFile, token != nil, token != "-" {
            throw .configuration("give the token once: as an argument, or in --token-file \(tokenFile)")
        }
        do {
            let text: String
            if let tokenFile, tokenFile != "-" {
                text = try BoundedFile.text(tokenFile, limit: 4_096)
            } else if let token, token != "-" {
                say("warning: the token is visible in the process table while this runs: prefer --token-file or -")
                text = token
            } else {
                if isatty(STDIN_FILENO) == 1 { say("Enrolment token, then Ctrl-D:") }
                text = try BoundedFile.text(of: STDIN_FILENO, named: "standard input", limit: 4_096)
            }
            guard let word = BoundedFile.word(text), word.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw AgentError.configuration("that is no single enrolment token (tge_…)")
            }
            return Secret(word)
        } catch let error as BoundedFile.Fault {
            throw .configuration("--token-file: \(error)")
        } catch let error as AgentError {
            throw error
        } catch {
            throw .configuration("\(error)")
        }
    }
}
