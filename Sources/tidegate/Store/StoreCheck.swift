import ArgumentParser
import GateCommands
import GateProcess
import GateStore
import GateStoreSQLite
import Glibc

struct StoreCheck: StoreFileCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Read the whole store and say what is wrong with it.",
        discussion: """
            Changes nothing, and may run beside the gateway. Exit code 0: sound; 1: damaged, unreadable, or of another \
            version.

            EXAMPLES
              tidegate store check
              tidegate store check --store sqlite:/backup/tidegate-monday.db --json
            """)

    @OptionGroup var options: StoreOptions

    /// What `--json` prints.
    struct Document: Encodable {
        let store: String
        let sound: Bool
        let findings: [String]
        let schema: Int?
        let file_bytes: Int64
        let log_bytes: Int64

        init(_ path: String, _ report: SQLiteStoreFile.Report) {
            store = path
            sound = report.findings.isEmpty
            findings = report.findings
            schema = report.schema
            file_bytes = report.fileBytes
            log_bytes = report.logBytes
        }
    }

    func perform() throws {
        let (stateDirectory, path) = try options.location()
        let report = try Self.report(on: path, stateDirectory: stateDirectory)
        var facts = FactSheet()
        facts.add("store", path)
        facts.add("sound", report.findings.isEmpty ? "yes" : "no")
        facts.add("schema", report.schema.map(String.init) ?? "")
        facts.add("size", "\(report.fileBytes) bytes, and \(report.logBytes) in its log")
        if !report.findings.isEmpty { facts.add("findings", report.findings) }
        try options.show(Document(path, report), facts)
        guard report.findings.isEmpty else { throw ExitCode(1) }
    }

    private static func report(on path: String, stateDirectory: String) throws -> SQLiteStoreFile.Report {
        let file: SQLiteStoreFile
        do { file = try SQLiteStoreFile(path: path) } catch StoreError.corrupt(let finding) {
            return SQLiteStoreFile.Report(findings: [finding])
        }
        var report = try file.check(StoreOptions.migrations())
        // A log that a gateway is writing can't be read as bytes.
        let lock = "\(stateDirectory)/lock"
        if access(lock, F_OK) == 0, let held = try? FileLock(path: lock) {
            try withExtendedLifetime(held) { report.findings += try file.logDamage().map { [$0] } ?? [] }
        }
        return report
    }
}
