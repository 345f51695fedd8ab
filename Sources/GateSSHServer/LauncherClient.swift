import Dispatch
public import GateControl
import GateProcess
import Glibc
public import ServiceLifecycle
import Synchronization

/// The gateway's side of the process that kept root. As a service it ends the gateway when that process has gone: without
/// it no session could be started, and worse, none ended.
public final class LauncherClient: SSHDLauncher, Service {
    /// The process that starts sshd has ended.
    public struct Gone: Error, Sendable {}

    private typealias OnExit = @Sendable (SSHProcess) -> Void

    private struct State {
        var nextID: UInt64 = 1
        var starts: [UInt64: (place: StartPlace, onExit: OnExit)] = [:]
        var questions: [UInt64: CheckedContinuation<Bool, Never>] = [:]
        var exits: [SSHProcess: OnExit] = [:]
        var isGone = false
        var onGone: [@Sendable () -> Void] = []
    }

    private let socket: Int32
    private let state = Mutex(State())
    private let exits = DispatchQueue(label: "tidegate.ssh.exits")

    /// Takes over the inherited end of the pair.
    public init(socket: Int32) {
        self.socket = socket
        DispatchQueue(label: "tidegate.launcher").async { self.readAll() }
    }

    public func run() async throws {
        let (events, continuation) = AsyncStream<Void>.makeStream()
        let isGone = state.withLock { state in
            if !state.isGone { state.onGone.append { continuation.yield() } }
            return state.isGone
        }
        if isGone { throw Gone() }
        await withGracefulShutdownHandler {
            for await _ in events { return }
        } onGracefulShutdown: {
            continuation.finish()
        }
        if !Task.isCancelled, !Task.isShuttingDownGracefully { throw Gone() }
    }

    public func start(connection: Int32, log: Int32, onExit: @escaping @Sendable (SSHProcess) -> Void) throws
        -> SSHProcess
    {
        let place = StartPlace()
        let id = try state.withLock { state in
            guard !state.isGone else { throw SystemError("start sshd", code: EPIPE) }
            state.starts[state.nextID] = (place, onExit)
            defer { state.nextID += 1 }
            return state.nextID
        }
        do {
            try DescriptorMessage(bytes: LauncherRequest.start(id: id).bytes, descriptors: [connection, log])
                .send(on: socket)
        } catch {
            state.withLock { _ = $0.starts.removeValue(forKey: id) }
            throw error
        }
        guard let result = place.wait(seconds: 10) else {
            // Should it start after all, nobody would know of it: the late answer ends it.
            state.withLock { _ = $0.starts.removeValue(forKey: id) }
            throw SystemError("start sshd", code: ETIMEDOUT)
        }
        return try result.get()
    }

    public func end(_ process: SSHProcess) async -> Bool {
        await ask { .end(id: $0, process) }
    }

    /// Lets the token file, written through its inherited descriptor, appear under its name.
    public func publishToken() async -> Bool { await ask { .publishToken(id: $0) } }

    /// Removes the unwritten token file.
    public func discardToken() async { _ = await ask { .discardToken(id: $0) } }

    private func ask(_ request: (UInt64) -> LauncherRequest) async -> Bool {
        await withCheckedContinuation { continuation in
            let id: UInt64? = state.withLock { state in
                guard !state.isGone else { return nil }
                state.questions[state.nextID] = continuation
                defer { state.nextID += 1 }
                return state.nextID
            }
            guard let id else { return continuation.resume(returning: false) }
            do {
                try DescriptorMessage(bytes: request(id).bytes).send(on: socket)
            } catch {
                state.withLock { $0.questions.removeValue(forKey: id) }?.resume(returning: false)
            }
        }
    }

    private func readAll() {
        while let message = try? DescriptorMessage.receive(on: socket, capacity: 64),
            let answer = LauncherAnswer(bytes: message.bytes)
        {
            take(answer)
        }
        let (starts, questions, onGone) = state.withLock { state in
            state.isGone = true
            defer { (state.starts, state.questions, state.onGone) = ([:], [:], []) }
            return (state.starts, state.questions, state.onGone)
        }
        for (place, _) in starts.values { place.fill(.failure(SystemError("start sshd", code: EPIPE))) }
        for question in questions.values { question.resume(returning: false) }
        for tell in onGone { tell() }
    }

    private func take(_ answer: LauncherAnswer) {
        switch answer {
        case .started(let id, let process):
            // Before the caller goes on: the message that it has exited may be the next one.
            let place = state.withLock { state -> StartPlace? in
                guard let start = state.starts.removeValue(forKey: id) else { return nil }
                state.exits[process] = start.onExit
                return start.place
            }
            guard let place else {
                Task { await self.end(process) }
                return
            }
            place.fill(.success(process))
        case .failed(let id, let code):
            state.withLock { $0.starts.removeValue(forKey: id) }?.place.fill(
                .failure(SystemError("start sshd", code: code)))
        case .done(let id, let isGone):
            state.withLock { $0.questions.removeValue(forKey: id) }?.resume(returning: isGone)
        case .exited(let process):
            guard let onExit = state.withLock({ $0.exits.removeValue(forKey: process) }) else { return }
            exits.async { onExit(process) }
        }
    }
}

/// Where a thread waits for the one answer to its start.
private final class StartPlace: Sendable {
    private let result = Mutex<Result<SSHProcess, any Error>?>(nil)
    private let semaphore = DispatchSemaphore(value: 0)

    func fill(_ value: Result<SSHProcess, any Error>) {
        result.withLock { $0 = value }
        semaphore.signal()
    }

    /// Nil when the time has passed.
    func wait(seconds: Int) -> Result<SSHProcess, any Error>? {
        guard semaphore.wait(timeout: .now() + .seconds(seconds)) == .success else { return nil }
        return result.withLock { $0 }
    }
}
