import ArgumentParser
import GateCommands
import GateProcess
import GateStoreSQLite
import Glibc

struct StoreRestore: StoreFileCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Put a backup in the store's place.",
        discussion: """
            The gateway must be stopped. The backup is checked before anything is touched, and the store that was there \
            is kept beside it. Whatever was revoked, removed or used up since the backup stays so, as long as the store \
            that was there can be read; otherwise revoke it again before the gateway is reachable.

            EXAMPLES
              systemctl stop tidegate && tidegate store restore /backup/tidegate-monday.db && systemctl start tidegate
            """)

    @Argument(help: ArgumentHelp("A file made by 'tidegate store backup'.", valueName: "file"))
    var file: String

    @OptionGroup var options: StoreOptions

    private struct Document: Encodable {
        let store: String
        let restored_from: String
        let kept: String?
        let revocations_kept: Int?
    }

    func perform() throws {
        let (stateDirectory, path) = try options.location()
        guard let source = try ServeSettings.path(file, "FILE") else { return }
        guard source != path else { throw StartFault("FILE must not be the store itself") }
        var status = stat()
        guard stat(stateDirectory, &status) == 0 else {
            throw StartFault("state-dir: \(stateDirectory) isn't there; start the gateway once, or make it (mode 0700)")
        }
        let lock: FileLock
        do {
            lock = try FileLock(path: "\(stateDirectory)/lock")
            if geteuid() == 0 { fchown(lock.descriptor, status.st_uid, status.st_gid) }
        } catch {
            throw StartFault("state-dir: a gateway runs on \(stateDirectory); stop it first")
        }
        try withExtendedLifetime(lock) { try restore(from: source, to: path) }
    }

    private func restore(from source: String, to path: String) throws {
        let backup = try SQLiteStoreFile(path: source)
        let report = try backup.check(StoreOptions.migrations())
        guard report.findings.isEmpty else {
            throw StartFault(
                "\(source) is no sound backup, nothing was changed: \(report.findings.prefix(3).joined(separator: "; "))"
            )
        }
        let outcome = try SQLiteStoreRestore(path: path, now: SystemClock.now())
            .run(from: backup, progress: options.progress)
        var facts = FactSheet()
        facts.add("store", path)
        facts.add("restored from", source)
        facts.add("before", outcome.kept ?? "")
        facts.add("revocations kept", outcome.revocations.map(String.init) ?? "unknown")
        try options.show(
            Document(
                store: path, restored_from: source, kept: outcome.kept, revocations_kept: outcome.revocations), facts)
        if outcome.revocations == nil {
            StoreOptions.say(
                "tidegate: there was no store before that could be read: revoke again what was revoked since the backup\n"
            )
        }
    }
}
