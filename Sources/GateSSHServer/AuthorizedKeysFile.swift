public import GateControl
import GateSSH
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

    private func write() async {
        do {
            let lines = try await lookup.allGrants().compactMap { grant in try settings.line(for: grant) }
            try PrivateFile.write(lines.map { $0 + "\n" }.joined(), to: path)
        } catch {
            // Fail closed: a line that should be gone must not stay because the new file couldn't be written.
            logger.error(
                "the authorized_keys file could not be written; it is emptied", metadata: ["error": "\(error)"])
            try? PrivateFile.write("", to: path)
        }
    }
}
