import ArgumentParser
import GateCommands
import GateModel
import GateStore
import GateStoreSQLite
import Glibc

/// Which store a command works on, found as `serve` finds it, and how the command prints.
struct StoreOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The gateway's state directory (TIDEGATE_STATE_DIR).", valueName: "dir"))
    var stateDir: String?

    @Option(help: ArgumentHelp("sqlite:PATH (TIDEGATE_STORE).", valueName: "url"))
    var store: String?

    @Option(help: ArgumentHelp("The gateway's YAML file.", valueName: "file"))
    var config: String?

    @Flag(help: "Print one JSON document, also for an error.")
    var json = false

    /// The state directory and the store's file.
    func location() throws -> (stateDirectory: String, file: String) {
        let environment = SystemEnvironment.values
        let flags = [("state-dir", stateDir), ("store", store)]
        let values = try ServeSettings.values(
            flags: Dictionary(uniqueKeysWithValues: flags.compactMap { name, value in value.map { (name, $0) } }),
            file: config, environment: environment)
        return try ServeSettings.location(values, environment: environment, isRoot: geteuid() == 0)
    }

    static func migrations() throws -> Migrator { try Migrator(Migration.all(for: .sqlite)) }

    /// The state directory and a store that has this program's own schema.
    func currentStore() throws -> (stateDirectory: String, file: SQLiteStoreFile) {
        let (stateDirectory, path) = try location()
        let file = try SQLiteStoreFile(path: path)
        guard try file.schema(Self.migrations()) == Migration.all(for: .sqlite).count else {
            throw StartFault("\(path) is of an older version: start the gateway once")
        }
        return (stateDirectory, file)
    }

    /// Shows how far a copy is, on a terminal only.
    var progress: SQLiteStoreFile.Progress? {
        guard isatty(STDERR_FILENO) == 1, !json else { return nil }
        return { done, total in
            let percent = total > 0 ? done * 100 / total : 100
            Self.say("\rtidegate: copying, \(percent) %\(done >= total ? "\n" : "")")
        }
    }

    /// Writes to standard error, unbuffered.
    static func say(_ text: String) {
        _ = Array(text.utf8).withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// Prints the document with `--json`, else the facts.
    func show(_ document: some Encodable, _ facts: FactSheet) throws {
        print(json ? try JSONText.document(document) : facts.text, terminator: json ? "\n" : "")
    }
}

/// A command on the store's file; its errors become one line (or one JSON problem) and exit code 1.
protocol StoreFileCommand: ParsableCommand {
    var options: StoreOptions { get }
    func perform() throws
}

extension StoreFileCommand {
    func run() throws {
        umask(0o077)
        do {
            try perform()
        } catch let code as ExitCode {
            throw code
        } catch {
            let failure = CommandFailure(.refused, words(error))
            StoreOptions.say(failure.text(json: options.json) + "\n")
            throw ExitCode(failure.code.rawValue)
        }
    }

    private func words(_ error: any Error) -> String {
        switch error {
        case let fault as StartFault: fault.description
        case let error as StoreError: StoreWords.text(error)
        default: "\(error)"
        }
    }
}
