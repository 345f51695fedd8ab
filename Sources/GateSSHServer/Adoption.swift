public import GateControl
import GateModel
import GateProcess
public import GateStore
public import Logging

/// Accounts for the sshd processes an earlier gateway process left: those whose key still lives are adopted, all others are
/// ended. Done before the first lookup is answered.
public struct Adoption: Sendable {
    private let database: any Database
    private let identity: GatewayIdentity
    private let lookup: KeyLookup
    private let keys: KeyTable
    private let ending: ConnectionEnding
    private let files: LiveFiles
    private let logger: Logger

    public init(
        database: any Database, identity: GatewayIdentity, lookup: KeyLookup, keys: KeyTable, ending: ConnectionEnding,
        liveFolder: String, logger: Logger
    ) {
        self.database = database
        self.identity = identity
        self.lookup = lookup
        self.keys = keys
        self.ending = ending
        self.files = LiveFiles(folder: liveFolder)
        self.logger = logger
    }

    /// Returns how many were adopted and how many were ended.
    public func run() async throws -> (adopted: Int, ended: Int) {
        try files.prepare()
        let gateway = identity.gateway
        let rows = try await database.read { tx in try tx.connections(on: gateway) }
        var doomed: Set<SSHProcess> = []
        var adopted: Set<SSHProcess> = []
        for row in rows {
            let process = SSHProcess(pid: row.pid, startTime: row.startTime)
            let isOfThisBoot = row.bootID == ProcessIdentity.bootID
            let isRunning = isOfThisBoot && ProcessIdentity.isSame(pid: row.pid, startTime: row.startTime)
            let isOurs = isRunning && ProcessStat(pid: row.pid).map { isSSHDCommand($0.command) } == true
            if isOurs, let grant = try await lookup.grant(for: row.key) {
                keys.adopt(process, grant: grant, source: row.source, startedAt: row.startedAt)
                adopted.insert(process)
            } else {
                // A leader that was killed may have left its child behind, with the tunnel.
                if isOurs || (isOfThisBoot && !isRunning) { doomed.insert(process) }
                try await database.write { tx in try tx.deleteConnection(row.id) }
            }
        }
        for process in files.all() where !adopted.contains(process) {
            doomed.insert(process)
        }
        await ending.end(Array(doomed))
        for process in doomed { files.remove(process) }
        if !adopted.isEmpty || !doomed.isEmpty {
            logger.notice(
                "accounted for earlier connections",
                metadata: ["gate.adopted": "\(adopted.count)", "gate.ended": "\(doomed.count)"])
        }
        return (adopted.count, doomed.count)
    }
}
