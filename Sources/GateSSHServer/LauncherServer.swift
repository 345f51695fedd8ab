import GateControl
import GateProcess
import Glibc
import Synchronization

/// The process that kept root: starts sshd with the one configuration it was given, ends what it started, and puts the
/// first administrator's token into place. It ends with the gateway, and at the first message that isn't one.
public final class LauncherServer: Sendable {
    /// A token file that is being written: where, and where it is to appear.
    public struct Token: Sendable {
        public let temporary: String
        public let final: String

        public init(temporary: String, final: String) {
            self.temporary = temporary
            self.final = final
        }
    }

    /// sshd processes at the same time, and requests to end one at the same time.
    package static let limit = 8_192

    private let socket: Int32
    private let launcher: DirectLauncher
    private let record: LaunchRecord
    private let token: Mutex<Token?>
    private let running = Mutex((children: 0, endings: 0))
    private let sending = Mutex(())

    /// `socket` is one end of `DescriptorPair.messages()`.
    public init(socket: Int32, program: String, configuration: String, record: LaunchRecord, token: Token?) {
        self.socket = socket
        self.record = record
        self.token = Mutex(token)
        launcher = DirectLauncher(program: program, configuration: configuration, record: record)
    }

    /// Answers until the gateway has gone; false when it sent what is no request. Blocks the thread.
    public func run() -> Bool {
        defer { finishToken(publishes: false) }
        while true {
            let message: DescriptorMessage?
            do { message = try DescriptorMessage.receive(on: socket, capacity: 64) } catch { return false }
            guard let message else { return true }
            defer { for descriptor in message.descriptors { close(descriptor) } }
            guard let request = LauncherRequest(bytes: message.bytes, descriptors: message.descriptors.count) else {
                return false
            }
            switch request {
            case .start(let id):
                guard Self.isFit(connection: message.descriptors[0], log: message.descriptors[1]) else { return false }
                start(id, connection: message.descriptors[0], log: message.descriptors[1])
            case .end(let id, let process): end(id, process)
            case .publishToken(let id): send(.done(id: id, isGone: finishToken(publishes: true)))
            case .discardToken(let id): send(.done(id: id, isGone: finishToken(publishes: false)))
            }
        }
    }

    /// A TCP connection and a pipe, and nothing else: no file of ours becomes an sshd's input or log.
    package static func isFit(connection: Int32, log: Int32) -> Bool {
        var domain: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(connection, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0, [AF_INET, AF_INET6].contains(domain)
        else { return false }
        var kind: Int32 = 0
        guard getsockopt(connection, SOL_SOCKET, SO_TYPE, &kind, &size) == 0, kind == Int32(SOCK_STREAM.rawValue) else {
            return false
        }
        var listens: Int32 = 0
        guard getsockopt(connection, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0, listens == 0 else {
            return false
        }
        var facts = stat()
        return fstat(log, &facts) == 0 && facts.st_mode & S_IFMT == S_IFIFO
    }

    private func start(_ id: UInt64, connection: Int32, log: Int32) {
        let hasRoom = running.withLock { running in
            guard running.children < Self.limit else { return false }
            running.children += 1
            return true
        }
        guard hasRoom else { return send(.failed(id: id, code: EAGAIN)) }
        // The end of a process is told after its start, and the lock on the socket decides which is first.
        sending.withLock { _ in
            do {
                let process = try launcher.start(connection: connection, log: log) { [self] process in
                    running.withLock { $0.children -= 1 }
                    send(.exited(process))
                }
                transmit(.started(id: id, process))
            } catch {
                running.withLock { $0.children -= 1 }
                transmit(.failed(id: id, code: (error as? SystemError)?.code ?? EIO))
            }
        }
    }

    private func end(_ id: UInt64, _ process: SSHProcess) {
        guard record.contains(process) else {
            return send(.done(id: id, isGone: LaunchRecord.isGone(process)))
        }
        // Recorded, and still: the leader has to be an sshd.
        if let stat = ProcessStat(pid: process.pid), stat.startTime == process.startTime,
            !isSSHDCommand(stat.command) || stat.group != process.pid
        {
            return send(.done(id: id, isGone: stat.hasEnded))
        }
        let hasRoom = running.withLock { running in
            guard running.endings < Self.limit else { return false }
            running.endings += 1
            return true
        }
        guard hasRoom else { return send(.done(id: id, isGone: false)) }
        Task { [self] in
            let isGone = await launcher.end(process)
            running.withLock { $0.endings -= 1 }
            send(.done(id: id, isGone: isGone))
        }
    }

    @discardableResult
    private func finishToken(publishes: Bool) -> Bool {
        token.withLock { token in
            guard let files = token else { return false }
            token = nil
            guard publishes else { return unlink(files.temporary) == 0 }
            if rename(files.temporary, files.final) == 0 { return true }
            unlink(files.temporary)
            return false
        }
    }

    private func send(_ answer: LauncherAnswer) { sending.withLock { _ in transmit(answer) } }

    /// A gateway that has gone is noticed by the reading side.
    private func transmit(_ answer: LauncherAnswer) { try? DescriptorMessage(bytes: answer.bytes).send(on: socket) }
}
