import CGateSys
import Glibc
import Synchronization

/// The one thread of this module: waits for descriptors and times in an epoll loop and lives as long as the process.
///
/// Handlers run on it one after another and must not block.
final class EventThread: Sendable {
    static let shared = EventThread()

    struct Token: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    typealias Handler = @Sendable (_ events: UInt32, _ token: Token) -> Void

    private struct State {
        var nextNumber: UInt64 = 1
        var handlers: [UInt64: (descriptor: Int32, run: Handler)] = [:]
        var timers: [(due: ContinuousClock.Instant, number: UInt64, run: @Sendable () -> Void)] = []
        var jobs: [@Sendable () -> Void] = []
        var thread: pthread_t?

        mutating func makeNumber() -> UInt64 {
            defer { nextNumber += 1 }
            return nextNumber
        }
    }

    private let poll: Int32
    private let wake: Int32
    private let state = Mutex(State())

    private init() {
        poll = epoll_create1(Int32(EPOLL_CLOEXEC))
        wake = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(u64: 0))
        precondition(poll >= 0 && wake >= 0 && epoll_ctl(poll, EPOLL_CTL_ADD, wake, &event) == 0, "no epoll")
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        // Signals are for the program's own threads: this one must never run somebody's handler between two children.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        let result = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<EventThread>.fromOpaque(context).takeRetainedValue().loop()
            }, context)
        pthread_sigmask(SIG_SETMASK, &before, nil)
        precondition(result == 0, "no thread")
        pthread_detach(thread)
    }

    /// Calls `run` with the epoll events and its own token whenever the descriptor is ready, until `cancel`.
    @discardableResult
    func watch(_ descriptor: Int32, events: UInt32, run: @escaping Handler) throws -> Token {
        try state.withLock { state in
            let number = state.makeNumber()
            var event = epoll_event(events: events, data: epoll_data_t(u64: number))
            guard epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event) == 0 else { throw SystemError("epoll_ctl") }
            state.handlers[number] = (descriptor, run)
            return Token(number: number)
        }
    }

    /// Calls `run` once after the duration, unless cancelled before.
    @discardableResult
    func after(_ duration: Duration, run: @escaping @Sendable () -> Void) -> Token {
        let number = state.withLock { state in
            let number = state.makeNumber()
            state.timers.append((ContinuousClock.now + duration, number, run))
            return number
        }
        wakeUp()
        return Token(number: number)
    }

    /// Forgets a descriptor or a time; call it before closing the descriptor.
    func cancel(_ token: Token) {
        state.withLock { state in
            if let handler = state.handlers.removeValue(forKey: token.number) {
                epoll_ctl(poll, EPOLL_CTL_DEL, handler.descriptor, nil)
            }
            state.timers.removeAll { $0.number == token.number }
        }
    }

    /// Runs the job on this thread and waits for it: for what Linux ties to the thread that asked, such as a
    /// parent-death signal.
    func sync<Value: Sendable>(_ job: @escaping @Sendable () throws -> Value) throws -> Value {
        // A handler that starts the next child would wait for itself.
        if state.withLock({ $0.thread.map { pthread_equal($0, pthread_self()) != 0 } ?? false }) { return try job() }
        let answer = Answer<Value>()
        enqueue { answer.fill(Result { try job() }) }
        return try answer.take().get()
    }

    /// Suspends for the duration, also in a cancelled task: what ends a process must not be hurried by a cancellation.
    func sleep(_ duration: Duration) async {
        await withCheckedContinuation { continuation in
            _ = after(duration) { continuation.resume() }
        }
    }

    private func enqueue(_ job: @escaping @Sendable () -> Void) {
        state.withLock { $0.jobs.append(job) }
        wakeUp()
    }

    private func wakeUp() {
        var one: UInt64 = 1
        _ = write(wake, &one, 8)
    }

    private func loop() -> Never {
        state.withLock { $0.thread = pthread_self() }
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        while true {
            let count = epoll_wait(poll, &events, Int32(events.count), untilNextTimer())
            for event in events.prefix(Int(max(count, 0))) {
                // Looked up anew for each event: the one before may have cancelled it.
                let number = event.data.u64
                guard number != 0 else {
                    var value: UInt64 = 0
                    _ = read(wake, &value, 8)
                    continue
                }
                state.withLock { $0.handlers[number]?.run }?(event.events, Token(number: number))
            }
            for run in takeDue() { run() }
        }
    }

    /// Milliseconds for epoll_wait(2); -1 when nothing is due at any time.
    private func untilNextTimer() -> Int32 {
        state.withLock { state in
            guard state.jobs.isEmpty else { return 0 }
            guard let due = state.timers.map(\.due).min() else { return -1 }
            let (seconds, attoseconds) = (due - ContinuousClock.now).components
            guard seconds >= 0, attoseconds >= 0 else { return 0 }
            return Int32(min(seconds, 3600) * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
        }
    }

    private func takeDue() -> [@Sendable () -> Void] {
        state.withLock { state in
            let now = ContinuousClock.now
            let due = state.timers.filter { $0.due <= now }.sorted { $0.due < $1.due }
            if !due.isEmpty { state.timers.removeAll { $0.due <= now } }
            defer { state.jobs.removeAll() }
            return state.jobs + due.map(\.run)
        }
    }
}

/// A place for one value that another thread waits for.
private final class Answer<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)
    private let descriptor = eventfd(0, Int32(EFD_CLOEXEC))

    deinit { close(descriptor) }

    func fill(_ value: Result<Value, any Error>) {
        result.withLock { $0 = value }
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    func take() -> Result<Value, any Error> {
        var count: UInt64 = 0
        while read(descriptor, &count, 8) < 0, errno == EINTR {}
        return result.withLock { $0 } ?? .failure(SystemError("eventfd", code: EMFILE))
    }
}
