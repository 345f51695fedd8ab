import GateControl
import GateModel
import GateStore
import GateStoreSQLite
import Glibc

/// Holds store, log file, key and anchors against each other.
struct AuditVerification {
    /// How long a running gateway may take from the store to the file.
    static let lag = Duration.seconds(5)

    let file: SQLiteStoreFile
    let folder: String
    let key: AuditKeyFile
    let anchors: [AuditAnchor]
    /// Whether a gateway writes meanwhile.
    let isLive: Bool

    /// What came of it.
    struct Report {
        var findings = AuditFindings()
        var unproven: [String] = []
        var head: AuditSeal?
        var events = 0
        var seals = 0
        var logSeals = 0
        var unsealed = 0
        /// The latest anchor that the trail agrees with.
        var proven: AuditAnchor?
    }

    func run() throws -> Report {
        var report = Report()
        // Before the store: the key moves after the commit, so it is never ahead of what is read later.
        var sealKey: SealKey?
        do { sealKey = try key.load() } catch { report.unproven.append("the key could not be compared: \(error)") }
        // Seals of the log that the store didn't have when it was read.
        var ahead: [AuditSeal] = []
        let gateway = try file.look { tx -> ID<Gateway>? in
            guard let gateway = try tx.firstGateway()?.gateway else { return nil }
            var store = AuditStoreCheck(tx: tx, gateway: gateway, anchors: anchors)
            try store.run()
            ahead = try checkLog(against: store, &report)
            conclude(store, sealKey, &report)
            return gateway
        }
        guard let gateway else { throw StartFault("\(file.path): no gateway has used this store yet") }
        if !ahead.isEmpty {
            let (now, first) = (ahead, ahead[0])
            let missing = try file.look { tx in
                let stored = try tx.auditSeals(of: gateway, after: first.number &- 1, limit: now.count)
                let digests = Set(stored.map(\.digest))
                return now.filter { !digests.contains($0.digest) }
            }
            if let first = missing.first, let last = missing.last {
                report.findings.add(
                    "the store lacks seals \(first.number) to \(last.number) (events \(first.first) to \(last.last)), which audit.jsonl has: its tail was cut, or an older copy of it came back"
                )
            }
        }
        return report
    }

    // MARK: The log

    private func checkLog(against store: AuditStoreCheck, _ report: inout Report) throws -> [AuditSeal] {
        let reader = try AuditLogReader(folder: folder)
        guard !reader.isEmpty else {
            if store.chain.head != nil { report.unproven.append("there is no audit.jsonl to compare with") }
            return []
        }
        var log = AuditLogCheck()
        var ahead: [AuditSeal] = []
        var differences = AuditFindings()
        let take: (ArraySlice<UInt8>, String) throws -> Void = { line, place in
            guard let batch = log.take(line, at: place) else { return }
            if batch.seal.number > store.chain.head?.number ?? 0 {
                if ahead.count < 10_000 { ahead.append(batch.seal) }
            } else {
                try store.compare(batch, &differences)
            }
        }
        try reader.read(take)
        let deadline = ContinuousClock.now + Self.lag
        while isLive, log.isInsideBatch || (log.chain.head?.number ?? 0) < store.chain.head?.number ?? 0,
            ContinuousClock.now < deadline
        {
            usleep(100_000)
            try reader.read(take)
        }
        try reader.finish(take)
        log.finish()
        for finding in log.chain.findings.all { report.findings.add(finding) }
        for finding in differences.all { report.findings.add(finding) }
        report.logSeals = log.chain.seals
        if let begins = log.chain.begins, begins.first > 1 {
            report.unproven.append(
                "audit.jsonl begins with event \(begins.first): what is before is in the store alone")
        }
        if let head = store.chain.head, (log.chain.head?.number ?? 0) < head.number {
            report.findings.add(
                "audit.jsonl ends with event \(log.chain.head?.last ?? 0), the store with \(head.last): its tail was cut, or wasn't written yet when the gateway ended"
            )
        }
        return ahead
    }

    // MARK: The verdict

    private func conclude(_ store: AuditStoreCheck, _ sealKey: SealKey?, _ report: inout Report) {
        let (chain, head) = (store.chain, store.chain.head)
        for finding in chain.findings.all { report.findings.add(finding) }
        (report.head, report.events, report.seals) = (head, chain.events, chain.seals)
        report.unsealed = store.unsealed
        for anchor in anchors.sorted(by: { $0.sequence < $1.sequence }) {
            switch store.anchored[anchor] {
            case true?: report.proven = anchor
            case false?:
                report.findings.add(
                    "anchor \(anchor.sequence): the trail up to event \(anchor.sequence) isn't the one the anchor was taken of"
                )
            case nil where anchor.sequence > head?.last ?? 0:
                report.findings.add(
                    "anchor \(anchor.sequence): the store ends with event \(head?.last ?? 0): the tail was cut")
            case nil:
                report.findings.add("anchor \(anchor.sequence): no seal ends with that event; the trail was rewritten")
            }
        }
        checkKey(sealKey, head, &report)
        for restart in chain.restarts {
            let words =
                "the chain begins anew with seal \(restart.seal) at \(restart.at.rfc3339) (\(restart.reason)), after event \(restart.after)"
            // Whoever took the anchor later has seen it.
            if let proven = report.proven, proven.sequence >= restart.first {
                report.unproven.append("\(words): what lies before is proven by the anchor alone")
            } else {
                report.findings.add(words)
            }
        }
        if store.unsealed > 0 {
            report.unproven.append("\(store.unsealed) events aren't sealed yet")
        }
        if let head {
            report.unproven.append(
                report.proven.map {
                    $0.sequence == head.last
                        ? "nothing behind event \($0.sequence), which the anchor proves, is sealed yet"
                        : "what follows event \($0.sequence), which the anchor proves, is vouched for by this host's own key: \(head.last &- $0.sequence) events"
                }
                    ?? "without an anchor, whoever owned this host may have written the whole trail anew: keep what 'tidegate audit head' says elsewhere, and give it with --anchor"
            )
        }
    }

    private func checkKey(_ sealKey: SealKey?, _ head: AuditSeal?, _ report: inout Report) {
        guard let sealKey else {
            if head != nil {
                report.findings.add("\(key.path) is missing or damaged: the next seal begins a new chain")
            }
            return
        }
        let next = (head?.number ?? 0) &+ 1
        if sealKey.number > next {
            report.findings.add(
                "\(key.path) has sealed up to seal \(sealKey.number &- 1) (event \(sealKey.lastSequence)), the store ends with seal \(next &- 1): its tail was cut, or an older copy of it came back"
            )
        } else if let head, (try? sealKey.leads(to: head)) != true {
            report.findings.add("\(key.path) isn't the key that the last seal names: the next seal begins a new chain")
        }
    }
}
