import ArgumentParser

/// `tidegate store`: the file everything is kept in, looked after by its operator. It works on the file, not through a
/// gateway, because it is needed when no gateway starts.
struct StoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Check, back up and restore the gateway's store.",
        discussion: """
            Works on the file itself, as the user who owns it or as root. 'check' and 'backup' also while the gateway \
            runs; 'restore' while it is stopped.

            EXAMPLES
              tidegate store check
              tidegate store backup /backup/tidegate-monday.db
              tidegate store restore /backup/tidegate-monday.db
            """,
        subcommands: [StoreCheck.self, StoreBackup.self, StoreRestore.self])
}
