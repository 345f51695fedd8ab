import GateControl
import GateModel
import GateProcess
import GateSSH
import GateSSHServer
import Glibc
import Logging

/// Lets the operator in when nobody can sign in yet.
struct FirstAdministrator {
    let setup: SetupService
    let settings: ServeSettings
    let inherited: LauncherInheritance?
    let logger: Logger

    static func secretFile(_ settings: ServeSettings) -> String { "\(settings.stateDirectory)/setup-secret" }

    private var secretFile: String { Self.secretFile(settings) }

    func offer() async throws {
        let mayOffer = if try await setup.needsAdministrator() { true } else { try await isLost() }
        guard mayOffer else {
            unlink(secretFile)
            if inherited?.token != nil { await inherited?.client.discardToken() }
            return
        }
        if let file = settings.bootstrapTokenFile {
            try await put(Secret(try await setup.makeBootstrapToken().reveal() + "\n"), to: file)
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

    /// A bootstrap token was made and nobody can have it: its file isn't there.
    private func isLost() async throws -> Bool {
        guard let file = settings.bootstrapTokenFile, access(file, F_OK) != 0, errno == ENOENT else { return false }
        return try await setup.awaitsFirstUse()
    }

    /// The file's folder may be root's alone: then it was opened before root was given up.
    private func put(_ text: Secret<String>, to file: String) async throws {
        guard let inherited else {
            let temporary = RootStage.tokenTemporary(file, stateDirectory: settings.stateDirectory)
            return try PrivateFile.write(text, to: file, temporary: temporary)
        }
        guard let descriptor = inherited.token else { throw StartFault("\(file) could not be made") }
        defer { close(descriptor) }
        let bytes = Array(text.reveal().utf8)
        guard bytes.withUnsafeBytes({ Glibc.write(descriptor, $0.baseAddress, $0.count) }) == bytes.count,
            fsync(descriptor) == 0
        else { throw SystemError("write \(file)") }
        guard await inherited.client.publishToken() else { throw StartFault("\(file) could not be put into place") }
    }
}
