import GateProcess
import Glibc

/// One running ssh of ours, with what it says; ended with its whole group.
public struct SSHChild: Sendable {
    public let process: ChildProcess
    public let messages: SSHMessages
    private let reader: FileDescriptorLines

    /// Starts ssh with `-v` before the arguments. It dies with this process, however that ends.
    ///
    /// `log` gets every line as it came, for debugging.
    public static func start(
        _ arguments: [String], tools: SSHTools, log: (@Sendable (String) -> Void)? = nil
    ) throws(AgentError) -> SSHChild {
        let messages = SSHMessages()
        do {
            let pipe = try DescriptorPair.pipe()
            let process: ChildProcess
            do {
                defer { close(pipe.second) }
                // A session of its own: no terminal to ask a password on, and a ProxyCommand ends with its ssh.
                var options = SpawnOptions(group: .session, parentDeathSignal: SIGTERM)
                options.killsGroupAtExit = true
                process = try ChildProcess.spawn(
                    path: tools.ssh, arguments: ["-v"] + arguments, environment: tools.environment,
                    descriptors: [2: pipe.second], options: options)
            } catch {
                close(pipe.first)
                throw error
            }
            // At the pipe's end and not at the exit: the last line says why it ended, and may be read after that.
            let reader = try FileDescriptorLines(
                descriptor: pipe.first, maxLength: 2_048,
                onLine: { line in
                    messages.take(line)
                    log?(line)
                }, onEnd: { messages.end() })
            return SSHChild(process: process, messages: messages, reader: reader)
        } catch {
            throw .unreachable("ssh can't be started: \(error)")
        }
    }

    /// Ends it and waits until it has gone.
    public func end() async {
        // In a group of its own the signal reaches a ProxyCommand too; ssh itself removes its forwardings on SIGTERM.
        if process.status == nil {
            _ = await ProcessEnding.end(
                group: process.pid, startTime: process.startTime, grace: .milliseconds(1_000))
        }
        await wait()
    }

    /// Waits until it has ended and its last words are read.
    public func wait() async {
        _ = await process.wait()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await messages.waitForEnd() }
            // Somebody who left ssh's group may hold the pipe open for ever.
            group.addTask {
                try? await Task.sleep(for: .milliseconds(500))
                reader.stop()
            }
            await group.next()
            group.cancelAll()
        }
    }
}
