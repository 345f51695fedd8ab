import ArgumentParser
import FoundationEssentials
import GateAgent
import GateClient
import GateModel
import GateProcess
import Glibc

@main
enum Main {
    static func main() async {
        _ = Launch.environment
        // Best effort: a kernel that refuses leaves us as any other program.
        try? ProcessHardening.apply()
        await TidegateAgent.main()
    }
}

/// What the process was started with, read once.
enum Launch {
    /// The environment, secrets included; they are removed from the process' own, so that no child inherits them.
    static let environment: [String: String] = {
        var variables = ProcessInfo.processInfo.environment
        for name in ["TIDEGATE_AGENT_KEY", "TIDEGATE_TOKEN"] { variables[name] = SecretEnvironment.take(name) }
        return variables
    }()
}

struct TidegateAgent: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tidegate-agent",
        abstract: "Keeps this machine reachable through a tidegate gateway.",
        discussion: """
            Examples:
              tidegate-agent enrol https://gate.example.org --token-file token
              tidegate-agent run
              sudo tidegate-agent install

            Flags win over TIDEGATE_AGENT_… variables, those over what enrolment stored.
            """,
        version: TidegateVersion.text,
        subcommands: [Enrol.self, Run.self, Status.self, Install.self, Uninstall.self])
}

/// Prints words for a person on the standard error, and ends with the code scripts can tell failures by.
func fail(_ error: any Error) -> ExitCode {
    let code: Int32
    switch error {
    case let error as AgentError: code = error.exitCode
    case let error as GatewayClientError:
        switch error {
        case .unreachable: code = 69
        case .refusedURL: code = 64
        case .problem, .malformedAnswer: code = error.status == 503 ? 75 : 1
        }
    case is RefusedURL: code = 64
    default: code = 1
    }
    say("tidegate-agent: \(error)")
    return ExitCode(code)
}

func say(_ text: String) {
    var line = Array((text + "\n").utf8)
    while !line.isEmpty {
        let count = write(STDERR_FILENO, line, line.count)
        guard count > 0 else { return }
        line.removeFirst(count)
    }
}
