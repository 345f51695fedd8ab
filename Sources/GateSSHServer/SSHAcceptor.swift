import Dispatch
public import GateControl
import GateModel
import GateProcess
import Glibc
public import Logging
public import ServiceLifecycle
import Synchronization

/// Accepts SSH connections and starts one `sshd -i -e` for each: pid, source address and log are then known per connection.
/// Stopping it closes the listener alone; the sessions go on and the next gateway adopts them.
public final class SSHAcceptor: Service {
    private let launcher: any SSHDLauncher
    private let listener: ListeningPort
    private let admission = Admission()
    private let keys: KeyTable
    private let lookup: KeyLookup
    private let journal: ConnectionJournal
    private let ending: ConnectionEnding
    private let files: LiveFiles
    private let refusals: RefusalLog
    private let canDecide: @Sendable () -> Bool
    private let logger: Logger
    private let children = Mutex<[Int32: (process: SSHProcess, source: String)]>([:])
    private let isStopping = Mutex(false)
    /// Looks at keys, which may read the store: not on the thread that reads every log.
    private let work = DispatchQueue(label: "tidegate.ssh.logins", attributes: .concurrent)

    /// Binds at once, so that a taken port stops the start. `canDecide` false leaves arrivals in the backlog: while the store
    /// can't be asked a login would fail, and failing teaches agents that their key is gone.
    public init(
        launcher: any SSHDLauncher, host: String, port: Int, keys: KeyTable, lookup: KeyLookup,
        journal: ConnectionJournal,
        ending: ConnectionEnding, liveFolder: String, refusals: RefusalLog, canDecide: @escaping @Sendable () -> Bool,
        logger: Logger
    ) throws {
        self.launcher = launcher
        self.listener = try ListeningPort(host: host, port: port)
        self.keys = keys
        self.lookup = lookup
        self.journal = journal
        self.ending = ending
        self.files = LiveFiles(folder: liveFolder)
        self.refusals = refusals
        self.canDecide = canDecide
        self.logger = logger
    }

    public var port: Int { listener.port }

    public var counts: (unauthenticated: Int, waiting: Int, children: Int) {
        let (running, waiting) = admission.counts
        return (running, waiting, children.withLock { $0.count })
    }

    /// The connection whose sshd has this pid and where it comes from, if this process started it and it still runs.
    public func connection(pid: Int32) -> (process: SSHProcess, source: String)? { children.withLock { $0[pid] } }

    public func run() async throws {
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
                    DispatchQueue(label: "tidegate.ssh.accept").async {
                        self.acceptLoop()
                        done.resume()
                    }
                }
            } onGracefulShutdown: {
                self.isStopping.withLock { $0 = true }
            }
        } onCancel: {
            self.isStopping.withLock { $0 = true }
        }
    }

    private func acceptLoop() {
        while !isStopping.withLock({ $0 }) {
            var poll = pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)
            // Bounded, so that stopping and a healed store are seen without a wake-up pipe.
            guard Glibc.poll(&poll, 1, 100) > 0 else { continue }
            guard canDecide() else {
                usleep(100_000)
                continue
            }
            guard let (descriptor, source) = listener.accept() else {
                // Out of descriptors: a short rest instead of a busy loop.
                if errno == EMFILE || errno == ENFILE { usleep(50_000) }
                continue
            }
            let arrival = Admission.Arrival(descriptor: descriptor, source: source, since: .now)
            switch admission.arrive(arrival) {
            case .start: start(arrival)
            case .wait: break
            case .refuse: turnAway(arrival, reason: "too-many-waiting")
            }
        }
        close(listener.descriptor)
        for arrival in admission.dismiss() { close(arrival.descriptor) }
    }

    private func turnAway(_ arrival: Admission.Arrival, reason: String) {
        close(arrival.descriptor)
        refusals.note(.init(kind: "ssh-connection", reason: reason, source: arrival.source, credential: ""))
    }

    private func leave(_ source: String) {
        let (start, expired) = admission.leave(source)
        for arrival in expired { turnAway(arrival, reason: "waited-too-long") }
        for arrival in start { self.start(arrival) }
    }

    private func start(_ arrival: Admission.Arrival) {
        defer { close(arrival.descriptor) }
        do {
            let log = try DescriptorPair.pipe()
            let place = Place()
            // Under the lock: neither the helper's question nor the end can be looked at before the sshd is known.
            let process: SSHProcess
            do {
                defer { close(log.second) }
                process = try children.withLock { children in
                    let process = try launcher.start(connection: arrival.descriptor, log: log.second) { process in
                        self.exited(process, source: arrival.source, place: place)
                    }
                    children[process.pid] = (process, arrival.source)
                    files.add(process)
                    return process
                }
            } catch {
                close(log.first)
                throw error
            }
            do {
                _ = try FileDescriptorLines(descriptor: log.first, maxLength: 1_024) { line in
                    self.read(line, of: process, source: arrival.source, place: place)
                }
            } catch {
                // Without its log nobody would know who logged in.
                logger.error("sshd's log can't be read; the connection is ended", metadata: ["error": "\(error)"])
                close(log.first)
                Task { await self.launcher.end(process) }
            }
        } catch {
            logger.error("sshd could not be started", metadata: ["error": "\(error)"])
            leave(arrival.source)
        }
    }

    /// Whether a connection still counts as unauthenticated.
    private final class Place: Sendable {
        private let isTaken = Mutex(true)
        func release() -> Bool {
            isTaken.withLock { taken in
                defer { taken = false }
                return taken
            }
        }
    }

    private func read(_ line: String, of process: SSHProcess, source: String, place: Place) {
        logger.debug(
            "sshd",
            metadata: ["gate.pid": "\(process.pid)", "gate.source": "\(source)", "gate.line": "\(printable(line))"])
        guard case .accepted(_, let fingerprint) = ConnectionLogLine(line) else { return }
        work.async {
            self.loggedIn(process, fingerprint: fingerprint, source: source)
            if place.release() { self.leave(source) }
        }
    }

    /// Looks once more whether the key may be used. With the helper this is a second fence; with an authorized_keys file it is
    /// where the process becomes known to revocation.
    private func loggedIn(_ process: SSHProcess, fingerprint: String, source: String) {
        let verdict = Result { try lookup.grant(for: fingerprint, process: process, source: source) }
        keys.loggedIn(process, with: fingerprint)
        guard case .success(let grant?) = verdict else {
            logger.warning(
                "a login is ended: its key is gone, or could not be asked about",
                metadata: [
                    "gate.pid": "\(process.pid)", "gate.source": "\(source)", "gate.fingerprint": "\(fingerprint)",
                ])
            Task { await self.ending.end([process]) }
            return
        }
        logger.info(
            "ssh connection",
            metadata: [
                "gate.pid": "\(process.pid)", "gate.source": "\(source)", "gate.fingerprint": "\(fingerprint)",
                "gate.purpose": "\(grant.reach.purpose.rawValue)", "gate.key.id": "\(grant.key)",
            ])
        journal.opened(process, grant: grant, source: source)
        lookup.loggedIn(grant, process: process)
    }

    private func exited(_ process: SSHProcess, source: String, place: Place) {
        children.withLock { children in
            // The number may already be a later sshd's.
            if children[process.pid]?.process == process { children[process.pid] = nil }
        }
        // The leader's child may outlive it by a moment, or, after a kill -9 of the leader, for good.
        Task { _ = await self.ending.forget(process) }
        // Starting the next one is work for another thread than the one that hears of all ends.
        if place.release() { work.async { self.leave(source) } }
    }
}

/// Log text of sshd holds what strangers sent, user names among it.
private func printable(_ line: String) -> String {
    String(
        String.UnicodeScalarView(
            line.unicodeScalars.prefix(1_024).map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 }))
}
