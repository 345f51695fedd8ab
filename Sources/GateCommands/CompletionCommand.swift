import ArgumentParser
import FoundationEssentials
import GateClient
import GateProcess

struct CompletionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion",
        abstract: "Print a completion script for a shell.",
        discussion: """
            EXAMPLES
              tidegate completion bash > /etc/bash_completion.d/tidegate
              tidegate completion zsh > ~/.zfunc/_tidegate
              tidegate completion fish > ~/.config/fish/completions/tidegate.fish
            """)

    enum Shell: String, ExpressibleByArgument, CaseIterable { case bash, zsh, fish }

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    func run() async throws {
        // Only the program as a whole knows all of its commands; it prints the script for a built-in option.
        let script = try await ProcessRun.run(
            OwnProgram.path(), arguments: ["--generate-completion-script", shell.rawValue],
            environment: ProcessInfo.processInfo.environment)
        guard script.status.isSuccess else { throw ExitCode(1) }
        Terminal.print(String(decoding: script.output, as: UTF8.self), end: "")
    }
}
