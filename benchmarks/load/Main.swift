import Glibc

/// A load program of few parts: the server under test shares the machine with it, so it has to cost little itself.
@main
enum Load {
    static let help = """
        tidegate-load: plays HTTP requests against a server on this machine and measures, with one thread

          tidegate-load run     requests from a file, by clients of which each waits for its answer
          tidegate-load herd    agents that all ask at once and come back until they are served
          tidegate-load serve   a server that does nothing: what the load program itself can do
          tidegate-load sync    how often a second the disk under a folder syncs

        Each explains itself with --help, and prints one JSON object. Exit codes: 0, 1 for what went wrong, 64 for words
        that can't be understood.

        """

    static func main() {
        signal(SIGPIPE, SIG_IGN)
        let words = Array(CommandLine.arguments.dropFirst())
        let commands: [String: (help: String, run: ([String]) throws -> Void)] = [
            "run": (Run.help, Run.main), "herd": (Herd.help, Herd.main),
            "serve": (TrivialServer.help, TrivialServer.main),
            "sync": (SyncRate.help, SyncRate.main),
        ]
        guard let first = words.first, let command = commands[first] else {
            let isHelp = ["--help", "-h", "help"].contains(words.first)
            write(help, to: isHelp ? 1 : 2)
            exit(isHelp ? 0 : 64)
        }
        if words.contains("--help") || words.contains("-h") {
            write(command.help, to: 1)
            exit(0)
        }
        do {
            try command.run(Array(words.dropFirst()))
        } catch let error as UsageError {
            write("tidegate-load \(first): \(error.text); see tidegate-load \(first) --help\n", to: 2)
            exit(64)
        } catch {
            write("tidegate-load \(first): \((error as? Fault)?.text ?? "\(error)")\n", to: 2)
            exit(1)
        }
    }

    static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}

/// Words on the command line, or a file they name, that mean nothing.
struct UsageError: Error {
    let text: String
}

/// What the machine or the server did not let us do.
struct Fault: Error {
    let text: String

    init(_ text: String) { self.text = text }

    /// With what the C library says of `errno`.
    init(errno text: String) { self.text = "\(text): \(String(cString: strerror(Glibc.errno)))" }
}
