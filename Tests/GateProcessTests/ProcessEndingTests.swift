import GateProcess
import Glibc
import Testing

@Suite struct ProcessEndingTests {
    /// A child whose script has said `ready`.
    private func start(_ script: String) async throws -> ChildProcess {
        let pipe = try DescriptorPair.pipe()
        let (lines, sink) = AsyncStream.makeStream(of: String.self)
        let reader = try FileDescriptorLines(descriptor: pipe.first, onLine: { sink.yield($0) })
        let child = try ChildProcess.spawn(
            path: "/bin/sh", arguments: ["-c", script], environment: ["PATH": "/usr/bin:/bin"],
            descriptors: [1: pipe.second])
        close(pipe.second)
        for await line in lines where line == "ready" { break }
        reader.stop()
        return child
    }

    @Test func aGroupThatIgnoresTERMIsKilledAfterTheGrace() async throws {
        let child = try await start(
            "trap '' TERM; (while :; do sleep 60; done) & (echo ready; while :; do sleep 60; done) & wait; wait")
        #expect(ProcessTable.members(ofGroup: child.pid).count >= 3)
        let start = ContinuousClock.now
        #expect(await ProcessEnding.end(group: child.pid, startTime: child.startTime))
        #expect(ContinuousClock.now - start >= .milliseconds(300))
        #expect(ProcessTable.members(ofGroup: child.pid).allSatisfy { $0.hasEnded })
        #expect(await child.wait() == .signaled(SIGKILL))
    }

    @Test func aPoliteGroupIsGoneBeforeTheGrace() async throws {
        let child = try await start("sleep 60 & echo ready; wait")
        let start = ContinuousClock.now
        #expect(await ProcessEnding.end(group: child.pid, startTime: child.startTime, grace: .seconds(20)))
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(await child.wait() == .signaled(SIGTERM))
    }

    @Test func aLaterProcessWithTheNumberIsNotTouched() async throws {
        let child = try await start("echo ready; exec sleep 60")
        #expect(await ProcessEnding.end(group: child.pid, startTime: child.startTime - 1))
        #expect(child.status == nil && ProcessIdentity.isSame(pid: child.pid, startTime: child.startTime))
        #expect(await ProcessEnding.end(group: child.pid, startTime: child.startTime))
    }

    @Test func whatALeaderLeftBehindIsEndedOnlyWhenRecognised() async throws {
        let child = try await start("sleep 60 & echo ready; wait")
        child.signal(SIGKILL)
        #expect(await child.wait() == .signaled(SIGKILL))
        #expect(await !ProcessEnding.end(group: child.pid, startTime: child.startTime))
        #expect(ProcessTable.members(ofGroup: child.pid).contains { !$0.hasEnded })
        let isGone = await ProcessEnding.end(group: child.pid, startTime: child.startTime) { $0.command == "sleep" }
        #expect(isGone)
        #expect(ProcessTable.members(ofGroup: child.pid).allSatisfy { $0.hasEnded })
    }

    @Test(arguments: [Int32(1), 0, -1]) func numbersThatMeanEverybodyAreRefused(pid: Int32) async {
        #expect(await !ProcessEnding.end(group: pid, startTime: 0))
    }
}
