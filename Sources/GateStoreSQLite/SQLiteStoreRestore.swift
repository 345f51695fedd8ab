import GRDB
public import GateModel
public import GateStore
import Glibc

/// Puts a backup in a store's place. At every moment the old store or the new one is there, whole: the new one is complete
/// and synced before one rename decides.
public struct SQLiteStoreRestore: Sendable {
    /// What was done.
    public struct Outcome: Sendable, Hashable {
        /// Where the store that was there before is now; nil when there was none.
        public var kept: String?
        /// Revocations made since the backup and carried over; nil when the store before couldn't be read.
        public var revocations: Int?
    }

    let path: String
    let now: Timestamp

    /// `path`: the store's file. No gateway may run on it.
    public init(path: String, now: Timestamp) {
        self.path = path
        self.now = now
    }

    /// The backup must be sound (`SQLiteStoreFile.check`). Revocations since the backup stay in force: they are read from
    /// the store that was there. The new file belongs to the owner of its folder.
    public func run(from backup: SQLiteStoreFile, progress: SQLiteStoreFile.Progress? = nil) throws(StoreError)
        -> Outcome
    {
        let fresh = path + ".restoring"
        SQLiteFile.remove(path: fresh)
        do {
            try backup.copy(to: fresh, progress: progress)
            var outcome = Outcome()
            let isSettled = try settleExisting()
            if isSettled == true { outcome.revocations = try? RevocationCarrier(from: path, to: fresh).run() }
            try note(outcome, in: fresh)
            try prepareForUse(fresh)
            try giveToOwnerOfFolder(fresh)
            outcome.kept = try swap(fresh, isSettled: isSettled)
            return outcome
        } catch {
            SQLiteFile.remove(path: fresh)
            throw StoreError(mapping: error)
        }
    }

    /// Moves the old store's write-ahead log into its file, so that the file alone is the store: a log left behind would
    /// be played into the new one. False when it is too damaged for that, nil when there is none.
    private func settleExisting() throws -> Bool? {
        guard access(path, F_OK) == 0 else { return nil }
        guard let file = try? SQLiteStoreFile(path: path), (try? file.vet(limit: .max)) != nil else { return false }
        do {
            let queue = try DatabaseQueue(path: path)
            let mode = try queue.writeWithoutTransaction { connection in
                try String.fetchOne(connection, sql: "PRAGMA journal_mode = DELETE")
            }
            try queue.close()
            return mode == "delete"
        } catch {
            return false
        }
    }

    /// The last step. A damaged store's log goes first; without it the damaged file is no worse than it was.
    private func swap(_ fresh: String, isSettled: Bool?) throws -> String? {
        var kept: String?
        if let isSettled {
            // To the microsecond: a restore that was killed before its last step may be tried again at once.
            let aside = "\(path).before-restore-\(now.microseconds)"
            if !isSettled {
                for suffix in ["-wal", "-shm"] where access(path + suffix, F_OK) == 0 {
                    try system("keep \(path)\(suffix)", rename(path + suffix, aside + suffix))
                }
            }
            try system("keep \(path)", link(path, aside))
            kept = aside
        } else {
            for suffix in ["-wal", "-shm"] { unlink(path + suffix) }
        }
        try system("replace \(path)", rename(fresh, path))
        SQLiteFile.syncFolder(of: path)
        return kept
    }

    private func note(_ outcome: Outcome, in file: String) throws {
        let queue = try DatabaseQueue(path: file)
        try queue.write { [now] connection in
            let transaction = SQLiteTransaction(connection: connection)
            // A backup of a store that no gateway has used yet.
            guard let identity = try transaction.firstGateway() else { return }
            try transaction.appendAudit(
                AuditEvent(
                    id: .random(), tenant: identity.tenant, gateway: identity.gateway, at: now,
                    action: .storeRestored,
                    severity: .warning, actor: "operator", subject: "gateway:\(identity.gateway)",
                    details: [("revocations_kept", outcome.revocations.map(String.init) ?? "unknown")]))
        }
        try queue.close()
    }

    /// A gateway that is killed while it turns the log on would leave a journal of the old kind beside the store.
    private func prepareForUse(_ file: String) throws {
        let queue = try DatabaseQueue(path: file)
        try queue.writeWithoutTransaction { connection in try connection.execute(sql: "PRAGMA journal_mode = WAL") }
        try queue.close()
    }

    /// Root restores for the gateway's user, who has to be able to open it.
    private func giveToOwnerOfFolder(_ file: String) throws {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        var status = stat()
        try system("look at \(folder)", stat(folder.isEmpty ? "/" : folder, &status))
        guard geteuid() == 0 else { return }
        try system("give away \(file)", lchown(file, status.st_uid, status.st_gid))
    }

    private func system(_ action: String, _ result: Int32) throws {
        guard result == 0 else { throw StoreError.full("can't \(action): \(String(cString: strerror(errno)))") }
    }
}
