import ArgumentParser
import FoundationEssentials
import GateClient
import GateProcess
import Glibc

/// Runs a stock program through a jump of its own in the same terminal, and takes the jump back however it ends.
enum JumpSession {
    /// Answers the program's exit code, 128 and the number where a signal ended it or us.
    ///
    /// `arguments` gets the jump and the absolute path of ssh.
    static func run(
        _ tool: String, to machine: String, client: GatewayClient, label: String,
        arguments: @escaping @Sendable (JumpAccess, _ ssh: String) async throws -> [String]
    ) async throws -> Int32 {
        let environment = ProcessInfo.processInfo.environment
        let path = try ProgramPath.find(tool, in: environment["PATH"])
        let ssh = try ProgramPath.find("ssh", in: environment["PATH"])
        let foreground = Foreground()
        try TerminationSignals.observe { number in Task { await foreground.take(number) } }
        let work = Task {
            let jump = try await JumpAccess.open(machine, client: client, label: label)
            do {
                try Task.checkCancellation()
                let child = try start(path, await arguments(jump, ssh), environment)
                await foreground.adopt(child)
                let status = await child.wait()
                await jump.close()
                return code(status)
            } catch {
                await jump.close()
                throw error
            }
        }
        await foreground.adopt(work)
        let result = await work.result
        if let number = await foreground.received { return 128 + number }
        return try result.get()
    }

    private static func start(
        _ path: String, _ arguments: [String], _ environment: [String: String]
    ) throws -> ChildProcess {
        var environment = environment
        // The program and what it starts have no use for it.
        environment["TIDEGATE_TOKEN"] = nil
        // Our own process group: the terminal's keys reach the program, and it may read passwords from /dev/tty.
        let options = SpawnOptions(group: .inherited, parentDeathSignal: SIGTERM)
        return try ChildProcess.spawn(
            path: path, arguments: arguments, environment: environment, descriptors: [0: 0, 1: 1, 2: 2],
            options: options)
    }

    private static func code(_ status: ExitStatus) -> Int32 {
        switch status {
        case .exited(let code): code
        case .signaled(let number): 128 + number
        case .unknown: 255
        }
    }
}

/// What a signal is passed to: the work before there is a program, the program afterwards.
private actor Foreground {
    private(set) var received: Int32?
    private var work: Task<Int32, any Error>?
    private var child: ChildProcess?

    func take(_ number: Int32) {
        received = received ?? number
        if let child { child.signal(number) } else { work?.cancel() }
    }

    func adopt(_ work: Task<Int32, any Error>) {
        self.work = work
        if received != nil, child == nil { work.cancel() }
    }

    func adopt(_ child: ChildProcess) {
        self.child = child
        if let received { child.signal(received) }
    }
}
