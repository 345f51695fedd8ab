import ArgumentParser
import FoundationEssentials
import GateClient
import GateModel
import GateWire
import Glibc

/// Which gateway a command asks, as whom, and how it prints.
struct GatewayOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The gateway's address (TIDEGATE_URL).", valueName: "url"))
    var url: String?

    @Option(help: ArgumentHelp("A file that holds the token (TIDEGATE_TOKEN_FILE).", valueName: "file"))
    var tokenFile: String?

    @Option(help: ArgumentHelp("Ask the gateway of this host through its state folder's socket.", valueName: "dir"))
    var stateDir: String?

    @Flag(help: "Print one JSON document, also for an error.")
    var json = false

    func validate() throws {
        guard stateDir == nil || url == nil else { throw ValidationError("--state-dir and --url exclude each other") }
    }

    /// The environment, with what the flags say in its place.
    var environment: ClientEnvironment {
        var variables = ProcessInfo.processInfo.environment
        if let tokenFile {
            variables["TIDEGATE_TOKEN"] = nil
            variables["TIDEGATE_TOKEN_FILE"] = tokenFile
        }
        return ClientEnvironment(variables: variables)
    }

    func home() throws -> ClientHome {
        guard let home = ClientHome(environment: environment.variables) else {
            throw CommandFailure(.usage, "no home folder is known: set TIDEGATE_HOME or HOME")
        }
        return home
    }

    func client() throws -> GatewayClient {
        guard let stateDir else { return try environment.resolve(url: url).client() }
        guard let text = try GeneratedFile.present(stateDir + "/admin.secret", limit: 4_096),
            let secret = BoundedFile.word(text)
        else { throw CommandFailure(.unreachable, "no gateway runs with the state folder \(stateDir)") }
        return try GatewayClient(
            endpoint: .unixSocket(Self.absolute(stateDir) + "/admin.sock"), credential: Secret(secret))
    }

    /// Prints the document with `--json`, else what the closure shows a person.
    func show(_ value: some Encodable, else person: () throws -> Void) throws {
        if json { Terminal.print(try JSONText.document(value)) } else { try person() }
    }

    /// A path that stays true when somebody else, in another folder, reads it.
    static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard getcwd(&buffer, buffer.count) != nil else { return path }
        let folder = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return folder + "/" + (path.hasPrefix("./") ? String(path.dropFirst(2)) : path)
    }
}

/// A command that asks a gateway; its errors become one line (or one JSON problem) and an exit code.
protocol GatewayCommand: AsyncParsableCommand {
    var gateway: GatewayOptions { get }
    func perform() async throws
}

extension GatewayCommand {
    package func run() async throws {
        do {
            try await perform()
        } catch let error as ExitCode {
            throw error
        } catch let error as ValidationError {
            throw error
        } catch let error as CleanExit {
            throw error
        } catch {
            let failure = CommandFailure(error)
            Terminal.printError(failure.text(json: gateway.json))
            throw ExitCode(failure.code.rawValue)
        }
    }
}

extension GatewayClient {
    /// The machine of this name, else the one with this agent id.
    func machine(called text: String) async throws -> MachineBody {
        if MachineName(rawValue: text) != nil,
            let machine = try await machines(MachineFilter(name: text)).first(where: { $0.name == text })
        {
            return machine
        }
        return try await machine(text)
    }
}
