public import GateControl
import GateSSH
import Glibc
public import Logging

/// The file sshd reads in the mode without a helper: every living key's confined line, replaced atomically after each change.
///
/// What it lacks beside the helper: sshd reads all lines at each login, and a key's end is only seen when the file is written
/// again (its `expiry-time` and the second look at each login cover that).
public actor AuthorizedKeysFile {
    private let path: String
    private let settings: SSHDSettings
    private let lookup: KeyLookup
    private let logger: Logger
    private var isWriting = false
    private var hasFailed = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    public init(path: String, settings: SSHDSettings, lookup: KeyLookup, logger: Logger) {
        self.path = path
        self.settings = settings
        self.lookup = lookup
        self.logger = logger
    }

    /// Returns when a write that began after this call is done; calls that wait together share one write.
    public func rewrite() async {
        if isWriting {
            await withCheckedContinuation { waiting.append($0) }
            return
        }
        isWriting = true
        while true {
            await write()
            let served = waiting
            waiting = []
            if served.isEmpty { break }
            // Those who came during the write need one that began after they did.
            await write()
            for continuation in served { continuation.resume() }
        }
        isWriting = false
    }

    /// Writes once more when the last write failed.
    public func retry() async {
        if hasFailed { await rewrite() }
    }

    private func write() async {
        hasFailed = true
        do {
            let lines = try await lookup.allGrants().compactMap { grant in try settings.line(for: grant) }
            do {
                try PrivateFile.write(lines.map { $0 + "\n" }.joined(), to: path)
                hasFailed = false
            } catch {
                // A full disk must take away the keys that have to go, and no others.
                logger.error(
                    "the authorized_keys file could not be written; what has to go is struck out of it",
                    metadata: ["error": "\(error)"])
                try AuthorizedKeysText.strikeOut(of: path, allBut: lines)
            }
        } catch {
            // Fail closed: a line that should be gone must not stay because the new file couldn't be written.
            logger.error("the authorized_keys file is emptied", metadata: ["error": "\(error)"])
            truncate(path, 0)
        }
    }
}
