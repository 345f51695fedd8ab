import GateControl
import GateModel
import GateSSH
import GateStore
import Glibc

/// The master key: 32 bytes in base64, in a file outside the store, so that neither a copy of the database nor a backup of it
/// opens what is sealed in there.
enum MasterKeyFile {
    static func standard(_ stateDirectory: String) -> String { "\(stateDirectory)/master.key" }

    /// The key of `--master-key-file`, which has to be there, or of the state directory, which is made when it is missing,
    /// unless the store holds what only the missing one opens.
    static func load(_ settings: ServeSettings, database: any Database) async throws -> MasterKey {
        if let file = settings.masterKeyFile { return try read(file) }
        let file = standard(settings.stateDirectory)
        if access(file, F_OK) == 0 || errno != ENOENT { return try read(file) }
        guard try await !database.read({ tx in try tx.hasSealedSecrets() }) else {
            throw StartFault(
                "\(file) is gone, and the store holds secrets that only this key opens: bring it back, or give its copy with --master-key-file"
            )
        }
        do {
            try PrivateFile.write(Secret(MasterKey.generate().reveal() + "\n"), to: file)
        } catch {
            throw StartFault("master-key-file: \(error)")
        }
        return try read(file)
    }

    private static func read(_ file: String) throws -> MasterKey {
        var status = stat()
        guard stat(file, &status) == 0, let text = try? String(contentsOf: file) else {
            throw StartFault("master-key-file: \(file) can't be read")
        }
        guard status.st_mode & 0o077 == 0 || status.st_mode & S_IFMT != S_IFREG else {
            throw StartFault("master-key-file: \(file) can be read by others than its owner: chmod 600 it")
        }
        guard let key = MasterKey(text: text) else {
            throw StartFault(
                "master-key-file: \(file) must hold 32 random bytes in base64, as 'openssl rand -base64 32' writes them"
            )
        }
        return key
    }
}
