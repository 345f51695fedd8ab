import GateControl
import GateModel
import GateProcess
import Logging

/// Secrets that are set in the environment and nowhere else: they are read once and removed from it.
struct EnvironmentCredentialSettings: Sendable {
    /// The first that is set counts.
    private static let variables: [(credential: EnvironmentCredential, names: [String])] = [
        (.drain, ["TIDEGATE_DRAIN_SECRET", "HERMES_DASHBOARD_DRAIN_SECRET"]), (.agent, ["AGENT_API_KEY"]),
    ]

    private let found: [(credential: EnvironmentCredential, variable: String, text: Secret<String>)]

    init(environment: [String: String]) {
        found = Self.variables.compactMap { credential, names in
            // An empty variable counts as set: whoever left it so meant a secret, and is told that it is none.
            names.first { environment[$0] != nil }.map { (credential, $0, Secret(environment[$0] ?? "")) }
        }
    }

    /// Where the secrets stood nothing is left of them, also in what /proc shows of this process.
    static func forget() {
        for (_, names) in variables {
            for name in names { _ = SecretEnvironment.take(name) }
        }
    }

    /// Those that are strong enough. A weak one is left out with a word in the log and the start goes on: what it would
    /// have opened stays shut. `warn` hears what makes this gateway less safe than it could be.
    func entries(logger: Logger, warn: (String) -> Void) -> [EnvironmentSecrets.Entry] {
        found.compactMap { credential, variable, text in
            do throws(EnvironmentSecrets.Fault) {
                let entry = try EnvironmentSecrets.Entry(credential, text)
                switch credential {
                case .drain:
                    logger.notice(
                        "a secret of the environment may drain this gateway", metadata: ["gate.variable": "\(variable)"]
                    )
                case .agent:
                    let words =
                        "\(variable) is set: whoever holds it can take the place of any machine without a key of its own; enrol the machines instead"
                    logger.warning("\(words)")
                    warn(words)
                }
                return entry
            } catch {
                logger.warning(
                    "a secret of the environment isn't used",
                    metadata: ["gate.variable": "\(variable)", "gate.reason": "\(error)"])
                return nil
            }
        }
    }
}
