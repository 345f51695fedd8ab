import CGateSys
import Glibc
import Synchronization

/// A child of this process, reaped by one thread through its pidfd: no SIGCHLD handler, no wait for "any child".
public final class ChildProcess: Sendable {
    public let pid: Int32
    /// Clock ticks since boot, as in `ProcessIdentity`: with the pid it names this process and no later one.
    public let startTime: UInt64

    private struct State {
        var status: ExitStatus?
        var observers: [@Sendable (ExitStatus) -> Void] = []
    }

    private let hasOwnGroup: Bool
    private let killsGroupAtExit: Bool
    private let state = Mutex(State())

    private init(pid: Int32, options: SpawnOptions) {
        self.pid = pid
        startTime = ProcessStat(pid: pid)?.startTime ?? 0
        if case .inherited = options.group { hasOwnGroup = false } else { hasOwnGroup = true }
        killsGroupAtExit = options.killsGroupAtExit && hasOwnGroup
    }

    /// Starts the program at an absolute path with exactly these arguments (argv[0] is the path), environment and
    /// descriptors (child's number: ours).
    ///
    /// Descriptors 0, 1 and 2 are /dev/null unless given. Our own descriptors stay open here. Returns when the program
    /// runs; throws `SystemError` with the errno of execve(2) when it cannot.
    public static func spawn(
        path: String, arguments: [String] = [], environment: [String: String] = [:],
        descriptors: [Int32: Int32] = [:], options: SpawnOptions = SpawnOptions()
    ) throws -> ChildProcess {
        let start: @Sendable () throws -> Int32 = {
            try startProcess(path, arguments, environment, descriptors, options)
        }
        // Linux sends the parent-death signal when the *thread* that made the child ends, and pool threads do end.
        let pid = options.parentDeathSignal == nil ? try start() : try EventThread.shared.sync(start)
        let child = ChildProcess(pid: pid, options: options)
        try child.watch()
        return child
    }

    /// How the child ended, or nil while it runs.
    public var status: ExitStatus? { state.withLock { $0.status } }

    /// Waits until the child has ended and was reaped; also in a cancelled task.
    public func wait() async -> ExitStatus {
        await withCheckedContinuation { continuation in
            onExit { continuation.resume(returning: $0) }
        }
    }

    /// Calls the closure once when the child has ended, at once if it has already; it must not block.
    public func onExit(_ observer: @escaping @Sendable (ExitStatus) -> Void) {
        let status = state.withLock { state in
            if state.status == nil { state.observers.append(observer) }
            return state.status
        }
        if let status { observer(status) }
    }

    /// Signals the child; false when it has ended, so that a number used again is never hit.
    @discardableResult
    public func signal(_ number: Int32) -> Bool {
        state.withLock { $0.status == nil && kill(pid, number) == 0 }
    }

    /// Signals the child's whole process group; false when the child has ended or shares our group.
    @discardableResult
    public func signalGroup(_ number: Int32) -> Bool {
        state.withLock { $0.status == nil && hasOwnGroup && kill(-pid, number) == 0 }
    }

    private func watch() throws {
        let descriptor = gate_pidfd_open(pid)
        let failure = SystemError("pidfd_open")
        do {
            guard descriptor >= 0 else { throw failure }
            // The handler is what keeps a child alive that nobody else refers to.
            try EventThread.shared.watch(descriptor, events: EPOLLIN.rawValue) { _, token in
                guard self.reap() else { return }
                EventThread.shared.cancel(token)
                close(descriptor)
            }
        } catch {
            if descriptor >= 0 { close(descriptor) }
            kill(pid, SIGKILL)
            reap(blocking: true)
            throw error
        }
    }

    /// True when the child is reaped.
    @discardableResult
    fileprivate func reap(blocking: Bool = false) -> Bool {
        let ended: (ExitStatus, [@Sendable (ExitStatus) -> Void])? = state.withLock { state in
            guard state.status == nil else { return nil }
            // Until it is reaped the dead leader's number, and so the group's, cannot go to anybody else.
            if killsGroupAtExit { kill(-pid, SIGKILL) }
            var word: Int32 = 0
            var result: Int32
            repeat { result = waitpid(pid, &word, blocking ? 0 : WNOHANG) } while result < 0 && errno == EINTR
            if result == 0 { return nil }
            let status = result == pid ? ExitStatus(waitStatus: word) : .unknown
            state.status = status
            defer { state.observers = [] }
            return (status, state.observers)
        }
        guard let (status, observers) = ended else { return self.status != nil }
        for observer in observers { observer(status) }
        return true
    }
}

/// Start is a C call: everything it needs is laid out before, because the child between vfork and exec may not allocate.
private func startProcess(
    _ path: String, _ arguments: [String], _ environment: [String: String], _ descriptors: [Int32: Int32],
    _ options: SpawnOptions
) throws -> Int32 {
    let words = [options.argument0 ?? path] + arguments
    let variables = environment.map { "\($0.key)=\($0.value)" }.sorted()
    // C would silently see a shorter argument than the one that was checked.
    guard (words + variables + [path]).allSatisfy({ !$0.utf8.contains(0) }) else {
        throw SystemError("spawn", code: EINVAL)
    }
    let directory = options.directory.flatMap { strdup($0) }
    var argv = words.map { strdup($0) } + [nil]
    var envp = variables.map { strdup($0) } + [nil]
    defer { for pointer in argv + envp + [directory] { free(pointer) } }
    let map = descriptors.map { gate_descriptor(parent: $0.value, child: $0.key) }
    var pid: Int32 = 0
    let failure = map.withUnsafeBufferPointer { map in
        var settings = gate_spawn_options()
        settings.descriptors = map.baseAddress
        settings.descriptor_count = map.count
        switch options.group {
        case .inherited: break
        case .own: settings.new_group = 1
        case .session: settings.new_session = 1
        }
        settings.parent_death_signal = options.parentDeathSignal ?? 0
        if let identity = options.identity {
            settings.change_user = 1
            settings.uid = identity.uid
            settings.gid = identity.gid
        }
        settings.directory = UnsafePointer(directory)
        return gate_spawn(path, &argv, &envp, &settings, &pid)
    }
    guard failure == 0 else { throw SystemError("exec \(path)", code: failure) }
    return pid
}
