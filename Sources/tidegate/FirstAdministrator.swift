import GateControl
import GateModel
import GateSSH
import Glibc
import Logging

/// Lets the operator in when nobody can sign in yet.
struct FirstAdministrator {
    let setup: SetupService
    let settings: ServeSettings
    let logger: Logger

    static func secretFile(_ settings: ServeSettings) -> String { "\(settings.stateDirectory)/setup-secret" }

    private var secretFile: String { Self.secretFile(settings) }

    func offer() async throws {
        guard try await setup.needsAdministrator() else {
            unlink(secretFile)
            return
        }
        if let file = settings.bootstrapTokenFile {
            try PrivateFile.write(Secret(try await setup.makeBootstrapToken().reveal() + "\n"), to: file)
            logger.notice("wrote an administrator's token, good for 24 hours", metadata: ["gate.file": "\(file)"])
            return
        }
        let secret = try await setup.makeSecret()
        if isatty(2) == 1 {
            // To the terminal alone: a log that is kept would keep the secret.
            let line = """

                Nobody can sign in yet. Within 24 hours, once:
                    tidegate setup \(settings.publicURL)
                and give it this secret when it asks:
                    \(secret.reveal())


                """
            _ = Array(line.utf8).withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
        } else {
            try PrivateFile.write(Secret(secret.reveal() + "\n"), to: secretFile)
            logger.notice(
                "nobody can sign in yet: use the secret of this file, once, within 24 hours",
                metadata: [
                    "gate.file": "\(secretFile)",
                    "gate.command": "tidegate setup \(settings.publicURL) --secret-file \(secretFile)",
                ])
        }
    }
}
