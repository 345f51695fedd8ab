import Dispatch
import GateControl
import GateProcess
import GateSSHServer
import Glibc
import Synchronization
import Testing

/// A launcher whose sshd is a program of the test's choice, and the raw end of its socket.
private final class Dialogue: Sendable {
    let socket: Int32
    let folder: String
    private let ending = Mutex<Bool?>(nil)

    init(program: String = "/usr/bin/true", token: LauncherServer.Token? = nil) throws {
        folder = "/tmp/tidegate-launcher-\(UInt64.random(in: .min ... .max))"
        let pair = try DescriptorPair.messages()
        socket = pair.first
        let server = LauncherServer(
            socket: pair.second, program: program, configuration: "/dev/null", record: try LaunchRecord(folder: folder),
            token: token)
        DispatchQueue(label: "launcher").async { [self] in
            let result = server.run()
            close(pair.second)
            ending.withLock { $0 = result }
        }
    }

    deinit {
        close(socket)
        rmdir(folder)
    }

    func send(_ bytes: [UInt8], descriptors: [Int32] = []) throws {
        try DescriptorMessage(bytes: bytes, descriptors: descriptors).send(on: socket)
    }

    /// Nil once the launcher has closed its end.
    func answer() throws -> LauncherAnswer? {
        try DescriptorMessage.receive(on: socket).flatMap { LauncherAnswer(bytes: $0.bytes) }
    }

    /// What `run` returned, once its end of the socket is closed.
    func result() async throws -> Bool? {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if let result = ending.withLock({ $0 }) { return result }
            try await Task.sleep(for: .milliseconds(5))
        }
        return nil
    }
}

private struct Connection {
    let first: Int32
    let second: Int32

    func close() {
        Glibc.close(first)
        Glibc.close(second)
    }
}

/// Two ends of a TCP connection over loopback.
private func connection() throws -> Connection {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isConnected = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            bind(listener, address, size) == 0 && listen(listener, 1) == 0
                && getsockname(listener, address, &size) == 0 && connect(client, address, size) == 0
        }
    }
    guard isConnected else { throw SystemError("connect") }
    return Connection(first: client, second: accept(listener, nil, nil))
}

@Suite("The process that kept root")
struct LauncherDialogueTests {
    @Test("Starts its one program and tells of its end")
    func start() throws {
        let dialogue = try Dialogue()
        let (tcp, log) = (try connection(), try DescriptorPair.pipe())
        defer {
            tcp.close()
            log.close()
        }
        try dialogue.send(LauncherRequest.start(id: 7).bytes, descriptors: [tcp.first, log.second])
        guard case .started(7, let process) = try dialogue.answer() else {
            Issue.record("not started")
            return
        }
        #expect(try dialogue.answer() == .exited(process))
        // Over and reaped: asked to end it, the launcher has nothing to do.
        try dialogue.send(LauncherRequest.end(id: 8, process).bytes)
        #expect(try dialogue.answer() == .done(id: 8, isGone: true))
    }

    @Test("Says why its program can't be started")
    func missingProgram() throws {
        let dialogue = try Dialogue(program: "/nonexistent/sshd")
        let (tcp, log) = (try connection(), try DescriptorPair.pipe())
        defer {
            tcp.close()
            log.close()
        }
        try dialogue.send(LauncherRequest.start(id: 1).bytes, descriptors: [tcp.first, log.second])
        #expect(try dialogue.answer() == .failed(id: 1, code: ENOENT))
    }

    @Test("Starts nothing with a file for a connection, and ends")
    func unfitDescriptors() async throws {
        let dialogue = try Dialogue()
        let log = try DescriptorPair.pipe()
        let file = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer {
            log.close()
            close(file)
        }
        try dialogue.send(LauncherRequest.start(id: 1).bytes, descriptors: [file, log.second])
        #expect(try dialogue.answer() == nil)
        #expect(try await dialogue.result() == false)
    }

    @Test("Ends nothing it did not start: neither the test itself nor another child")
    func strangers() async throws {
        let dialogue = try Dialogue()
        let child = try ChildProcess.spawn(path: "/usr/bin/sleep", arguments: ["60"])
        for pid in [child.pid, getpid()] {
            let stat = try #require(ProcessStat(pid: pid))
            let process = SSHProcess(pid: pid, startTime: stat.startTime)
            try dialogue.send(LauncherRequest.end(id: 1, process).bytes)
            #expect(try dialogue.answer() == .done(id: 1, isGone: false))
            #expect(ProcessIdentity.isSame(pid: pid, startTime: stat.startTime))
        }
        child.signal(SIGKILL)
        _ = await child.wait()
    }

    @Test("Ends with the gateway, and at the first message that is no request")
    func ends() async throws {
        let polite = try Dialogue()
        shutdown(polite.socket, Int32(SHUT_RDWR))
        #expect(try await polite.result() == true)
        let rude = try Dialogue()
        try rude.send([9, 9, 9])
        #expect(try rude.answer() == nil)
        #expect(try await rude.result() == false)
    }

    @Test("The token appears only when it is published, and what isn't is removed")
    func tokens() async throws {
        for publishes in [true, false] {
            let base = "/tmp/tidegate-token-\(UInt64.random(in: .min ... .max))"
            let files = LauncherServer.Token(temporary: base + ".new", final: base)
            close(open(files.temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600))
            let dialogue = try Dialogue(token: files)
            #expect(access(base, F_OK) != 0)
            if publishes {
                try dialogue.send(LauncherRequest.publishToken(id: 1).bytes)
                #expect(try dialogue.answer() == .done(id: 1, isGone: true))
                try dialogue.send(LauncherRequest.publishToken(id: 2).bytes)
                #expect(try dialogue.answer() == .done(id: 2, isGone: false))
            } else {
                shutdown(dialogue.socket, Int32(SHUT_RDWR))
                #expect(try await dialogue.result() == true)
            }
            #expect((access(base, F_OK) == 0) == publishes)
            #expect(access(files.temporary, F_OK) != 0)
            unlink(base)
        }
    }

    @Test("The client knows a process before it can hear of its end, and hears when the launcher has gone")
    func client() async throws {
        let folder = "/tmp/tidegate-launcher-\(UInt64.random(in: .min ... .max))"
        let pair = try DescriptorPair.messages()
        let server = LauncherServer(
            socket: pair.second, program: "/usr/bin/true", configuration: "/dev/null",
            record: try LaunchRecord(folder: folder), token: nil)
        DispatchQueue(label: "launcher").async {
            _ = server.run()
            close(pair.second)
        }
        let client = LauncherClient(socket: pair.first)
        for _ in 0..<50 {
            let (tcp, log) = (try connection(), try DescriptorPair.pipe())
            let (ends, continuation) = AsyncStream<SSHProcess>.makeStream()
            let process = try client.start(connection: tcp.first, log: log.second) { continuation.yield($0) }
            var iterator = ends.makeAsyncIterator()
            #expect(await iterator.next() == process)
            #expect(await client.end(process))
            tcp.close()
            log.close()
        }
        shutdown(pair.first, Int32(SHUT_RDWR))
        await #expect(throws: LauncherClient.Gone.self) { try await client.run() }
        #expect(await !client.end(SSHProcess(pid: 4_711, startTime: 1)))
        rmdir(folder)
    }
}
