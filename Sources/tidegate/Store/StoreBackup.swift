import ArgumentParser
import GateCommands
import GateStoreSQLite

struct StoreBackup: StoreFileCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the store to one file, also while the gateway runs.",
        discussion: """
            The copy is one committed state: whatever was answered before the copy began is in it. Its mode is 0600; it \
            holds digests of every credential, so keep it as safe as the gateway. Keep the state directory's ssh/ too: \
            with other host keys, every client and agent refuses the gateway. An existing file is never replaced.

            EXAMPLES
              tidegate store backup /backup/tidegate-monday.db
            """)

    @Argument(help: ArgumentHelp("The file to make.", valueName: "file"))
    var file: String

    @OptionGroup var options: StoreOptions

    private struct Document: Encodable {
        let store: String
        let backup: String
        let bytes: Int64
    }

    func perform() throws {
        let path = try options.location().file
        guard let target = try ServeSettings.path(file, "FILE") else { return }
        try SQLiteStoreFile(path: path).backup(to: target, progress: options.progress)
        let report = try SQLiteStoreFile(path: target).check(StoreOptions.migrations())
        guard report.findings.isEmpty else {
            throw StartFault("\(target) was written and is not sound: \(report.findings.joined(separator: "; "))")
        }
        var facts = FactSheet()
        facts.add("store", path)
        facts.add("backup", target)
        facts.add("size", "\(report.fileBytes) bytes, checked")
        try options.show(Document(store: path, backup: target, bytes: report.fileBytes), facts)
    }
}
