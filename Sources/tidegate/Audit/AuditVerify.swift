import ArgumentParser
import GateCommands
import GateControl
import GateModel
import GateProcess
import GateStoreSQLite
import Glibc

struct AuditVerify: StoreFileCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Find what was changed, removed, moved or cut off in the audit trail.",
        discussion: """
            Compares the store, audit.jsonl and the key with each other and with anchors kept elsewhere, and says what \
            could not be proven. Works on the gateway's host, also while it runs. An anchor is what 'tidegate audit head' \
            printed earlier. Exit code 0: nothing was found; 1: something was.

            EXAMPLES
              tidegate audit verify
              tidegate audit verify --anchor 1284:5f0c… --json
            """)

    @Option(help: ArgumentHelp("A head of the trail kept elsewhere; may be given again.", valueName: "seq:digest"))
    var anchor: [String] = []

    @OptionGroup var options: StoreOptions

    /// What `--json` prints.
    struct Document: Encodable {
        let intact: Bool
        let findings: [String]
        let unproven: [String]
        let events: Int
        let seals: Int
        let log_seals: Int
        let unsealed: Int
        let head: String?
        let head_at: String?
        let proven: String?
    }

    func validate() throws {
        guard anchor.allSatisfy({ AuditAnchor($0) != nil }) else {
            throw ValidationError("--anchor is SEQUENCE:DIGEST as 'tidegate audit head' prints it")
        }
    }

    func perform() throws {
        let anchors = anchor.compactMap { AuditAnchor($0) }
        let (stateDirectory, file) = try options.currentStore()
        let lock = "\(stateDirectory)/lock"
        let report = try AuditVerification(
            file: file, folder: "\(stateDirectory)/audit", key: AuditKeyFile(path: "\(stateDirectory)/audit.key"),
            anchors: anchors, isLive: access(lock, F_OK) == 0 && (try? FileLock(path: lock)) == nil
        ).run()
        let isIntact = report.findings.isEmpty
        var facts = FactSheet()
        facts.add("trail", isIntact ? "intact" : "NOT INTACT")
        facts.add(
            "sealed", "\(report.events) events in \(report.seals) seals, \(report.logSeals) of them in audit.jsonl")
        if let head = report.head { facts.add("head", "\(head.anchor) of \(head.at.rfc3339)") }
        if let proven = report.proven { facts.add("proven up to", "event \(proven.sequence), by its anchor") }
        if !isIntact { facts.add("found", report.findings.all) }
        if !report.unproven.isEmpty { facts.add("not proven", report.unproven) }
        try options.show(
            Document(
                intact: isIntact, findings: report.findings.all, unproven: report.unproven, events: report.events,
                seals: report.seals, log_seals: report.logSeals, unsealed: report.unsealed,
                head: report.head?.anchor.description, head_at: report.head?.at.rfc3339,
                proven: report.proven?.description), facts)
        guard isIntact else { throw ExitCode(1) }
    }
}
