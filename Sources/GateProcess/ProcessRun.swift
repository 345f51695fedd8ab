import CGateSys
import Glibc
import Synchronization

/// Runs a short tool to its end: bounded output, bounded time, nothing left behind.
public enum ProcessRun {
    public struct Output: Sendable {
        public let status: ExitStatus
        public let output: [UInt8]
        public let error: [UInt8]
    }

    public enum Failure: Error, Hashable {
        case timedOut
        /// More bytes on one of the two outputs than the limit.
        case tooMuchOutput
    }

    /// Runs the program at an absolute path and returns what it wrote.
    ///
    /// The tool gets its own session; its whole group is ended with SIGTERM, then SIGKILL, when the time or the output
    /// passes its limit or the task is cancelled, and what it leaves in its group is killed when it exits. Throws
    /// `SystemError`, `Failure` or `CancellationError`.
    public static func run(
        _ path: String, arguments: [String] = [], environment: [String: String] = ["PATH": "/usr/bin:/bin"],
        input: [UInt8] = [], limitBytes: Int = 1 << 20, timeout: Duration = .seconds(10),
        identity: SpawnOptions.Identity? = nil
    ) async throws -> Output {
        try Task.checkCancellation()
        var options = SpawnOptions()
        options.killsGroupAtExit = true
        options.identity = identity
        let output = try DescriptorPair.pipe()
        let error: DescriptorPair
        do { error = try DescriptorPair.pipe() } catch {
            output.close()
            throw error
        }
        let outputs = [output, error]
        let collected = Collected(limit: limitBytes)
        let child: ChildProcess
        do {
            // A file rather than a pipe: nothing to wait for, and no SIGPIPE from a tool that reads nothing.
            var descriptors = [Int32(1): outputs[0].second, 2: outputs[1].second]
            let stdin = input.isEmpty ? nil : try memoryFile(input)
            defer { if let stdin { close(stdin) } }
            if let stdin { descriptors[0] = stdin }
            child = try ChildProcess.spawn(
                path: path, arguments: arguments, environment: environment, descriptors: descriptors, options: options)
        } catch {
            for pair in outputs { pair.close() }
            throw error
        }
        for (index, pair) in outputs.enumerated() {
            close(pair.second)
            do {
                try collected.read(pair.first, as: index) {
                    // Also after the exit: what was cut must not pass for the whole.
                    collected.fail(Failure.tooMuchOutput)
                    end(child, because: Failure.tooMuchOutput, in: collected)
                }
            } catch {
                close(pair.first)
                end(child, because: error, in: collected)
                collected.fail(error)
            }
        }
        let timer = EventThread.shared.after(timeout) { end(child, because: Failure.timedOut, in: collected) }
        return try await withTaskCancellationHandler {
            let status = await child.wait()
            EventThread.shared.cancel(timer)
            // A process that left the group may hold the pipes open for ever.
            await collected.finish(within: .milliseconds(500))
            if let failure = collected.failure { throw failure }
            return Output(status: status, output: collected.bytes(0), error: collected.bytes(1))
        } onCancel: {
            end(child, because: CancellationError(), in: collected)
        }
    }

    private static func memoryFile(_ bytes: [UInt8]) throws -> Int32 {
        let descriptor = gate_memory_file(bytes, bytes.count)
        guard descriptor >= 0 else { throw SystemError("memfd_create") }
        return descriptor
    }

    private static func end(_ child: ChildProcess, because reason: any Error, in collected: Collected) {
        guard child.status == nil else { return }
        collected.fail(reason)
        child.signalGroup(SIGTERM)
        EventThread.shared.after(.milliseconds(300)) { child.signalGroup(SIGKILL) }
    }
}

/// What a tool wrote so far.
private final class Collected: Sendable {
    private struct State {
        var bytes: [[UInt8]] = [[], []]
        var open: [Int: (descriptor: Int32, token: EventThread.Token)] = [:]
        var failure: (any Error)?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) {
        self.limit = limit
    }

    var failure: (any Error)? { state.withLock { $0.failure } }

    func bytes(_ index: Int) -> [UInt8] { state.withLock { $0.bytes[index] } }

    /// The first reason counts.
    func fail(_ reason: any Error) {
        state.withLock { if $0.failure == nil { $0.failure = reason } }
    }

    func read(_ descriptor: Int32, as index: Int, tooMuch: @escaping @Sendable () -> Void) throws {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        try state.withLock { state in
            let token = try EventThread.shared.watch(descriptor, events: EPOLLIN.rawValue) { _, _ in
                self.readSome(index, tooMuch: tooMuch)
            }
            state.open[index] = (descriptor, token)
        }
    }

    /// Waits until both outputs have ended, at most so long, and closes them.
    func finish(within patience: Duration) async {
        let timer = EventThread.shared.after(patience) { for index in 0...1 { self.close(index) } }
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if !state.open.isEmpty { state.waiter = continuation }
                return state.open.isEmpty
            }
            if isDone { continuation.resume() }
        }
        EventThread.shared.cancel(timer)
    }

    private func readSome(_ index: Int, tooMuch: () -> Void) {
        var chunk = [UInt8](repeating: 0, count: 16384)
        let (isAtEnd, isTooMuch) = state.withLock { state in
            guard let descriptor = state.open[index]?.descriptor else { return (false, false) }
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EAGAIN || errno == EINTR { return (false, false) }
            // Read on beyond the limit, so that the tool is not stuck in a write; keep nothing of it.
            let room = limit - state.bytes[index].count
            state.bytes[index] += chunk.prefix(min(max(count, 0), room))
            return (count <= 0, count > room)
        }
        if isTooMuch { tooMuch() }
        if isAtEnd { close(index) }
    }

    private func close(_ index: Int) {
        let waiter: CheckedContinuation<Void, Never>? = state.withLock { state in
            guard let (descriptor, token) = state.open.removeValue(forKey: index) else { return nil }
            EventThread.shared.cancel(token)
            Glibc.close(descriptor)
            guard state.open.isEmpty else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }
}
